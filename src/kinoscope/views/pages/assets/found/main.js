// Everything is put together here.

wireTheme();
wirePlayer();
byId("name").textContent = data.title;
const videos = new Set(data.clips.map((clip) => clip.video)).size;
const moments = data.clips.length === 1 ? "1 moment" : `${data.clips.length} moments`;
byId("facts").append(
  make("span", null, videos === 1 ? `${moments} in 1 video` : `${moments} in ${videos} videos`),
  make("span", null, `of ${data.count} in ${data.library}`),
);
byId("facts").append(...(data.notes ?? []).map((note) => make("span", null, note)));
showClips();

window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target === byId("video")) return;
  const action = { t: toggleTheme, Escape: closePlayer, ArrowRight: () => turn(1), ArrowLeft: () => turn(-1), r: () => byId("again").click() }[event.key];
  if (action && (event.key === "t" || now.clip >= 0)) action();
});

/** For tests and for the curious. */
window.kinoscope = { data, now, play, shownClips };
document.documentElement.dataset.ready = "yes";
