// A page of generated clips.

/** @type {any} */
const data = JSON.parse(byId("data").textContent);

/** Create a card with a looping video. @param {{caption: string, src: string}} clip */
function videoCard(clip) {
  const video = make("video");
  Object.assign(video, { controls: true, loop: true, muted: true, autoplay: true, playsInline: true, src: clip.src });
  video.setAttribute("aria-label", clip.caption);
  return make("section", "card video", null, make("h2", null, clip.caption), video);
}

/** Create a card with a table. @param {{title: string, rows: string[][]}} table */
function tableCard({ title, rows: texts }) {
  const rows = texts.map((row) => make("tr", null, null, ...row.map((text) => make("td", null, text))));
  const table = make("div", "table-scroll", null, make("table", null, null, ...rows));
  return make("section", "card pad", null, make("h2", null, title), table);
}

const NOTICE = "These clips are AI-generated; the metadata of their files says so.";

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
});
byId("name").textContent = data.title;
byId("metadata").append(...data.about.map((fact) => make("span", null, fact)));
byId("videos").append(...data.videos.map(videoCard));
byId("tables").append(...data.tables.map(tableCard), make("p", "dim", NOTICE));

/** For tests and debugging. */
window.kinoscope = { data };
document.documentElement.dataset.ready = "yes";
