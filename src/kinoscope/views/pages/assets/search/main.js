// Connects the parts of the page.

wireTheme();
wirePlayer();
byId("name").textContent = data.title;
const videos = new Set(data.clips.map((clip) => clip.video)).size;
const moments = countText(data.clips.length, "moment");
byId("metadata").append(
  make("span", null, `${moments} in ${countText(videos, "video")}`),
  make("span", null, `of ${data.count} in ${data.library}`),
);
byId("metadata").append(...(data.notes ?? []).map((note) => make("span", null, note)));
showClips();

window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === byId("video")) return;
  const action = { t: toggleTheme, Escape: closePlayer, ArrowRight: () => turn(1), ArrowLeft: () => turn(-1), r: () => byId("replay").click() }[event.key];
  if (action && (event.key === "t" || now.clip >= 0)) action();
});

/** For tests and debugging. */
window.kinoscope = { data, now, play, shownClips };
document.documentElement.dataset.ready = "yes";
