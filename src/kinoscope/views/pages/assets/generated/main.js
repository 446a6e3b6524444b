// A page of clips that a model made.

/** @type {any} */
const data = JSON.parse(byId("data").textContent);

/** Give a card with a video that plays on and on. @param {{caption: string, src: string}} one */
function videoCard(one) {
  const video = make("video");
  Object.assign(video, { controls: true, loop: true, muted: true, autoplay: true, playsInline: true, src: one.src });
  video.setAttribute("aria-label", one.caption);
  return make("section", "card video", null, make("h2", null, one.caption), video);
}

/** Give a card with a table. @param {{title: string, rows: string[][]}} one */
function tableCard(one) {
  const rows = one.rows.map((row) => make("tr", null, null, ...row.map((text) => make("td", null, text))));
  const table = make("div", "table-scroll", null, make("table", null, null, ...rows));
  return make("section", "card pad", null, make("h2", null, one.title), table);
}

const MARK = "Nobody filmed these clips: a model made them, and the metadata of their files says so.";

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
});
byId("name").textContent = data.title;
byId("metadata").append(...data.about.map((fact) => make("span", null, fact)));
byId("videos").append(...data.videos.map(videoCard));
byId("tables").append(...data.tables.map(tableCard), make("p", "dim", MARK));

/** For tests and for the curious. */
window.kinoscope = { data };
document.documentElement.dataset.ready = "yes";
