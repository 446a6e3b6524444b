// Connects the parts of the page.

function showMetadata() {
  byId("name").textContent = `Explanation of ${data.target} in ${data.source}`;
  const span = `${seconds(data.times[0])} to ${seconds(data.times[count - 1])}`;
  const which = data.windows > 1 ? `, the most probable of ${data.windows} windows` : "";
  const fields = [`${data.target} ${percent(data.probability)}`, data.model, span + which, countText(count, "frame")];
  byId("metadata").append(...fields.map((text) => make("span", null, text)));
}

const KEYS = {
  " ": play,
  ArrowLeft: () => show({ index: now.index - 1, playing: false }),
  ArrowRight: () => show({ index: now.index + 1, playing: false }),
  Home: () => show({ index: 0, playing: false }),
  End: () => show({ index: count - 1, playing: false }),
  t: toggleTheme,
};

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, button")) return;
  if (!KEYS[event.key]) return;
  event.preventDefault();
  KEYS[event.key]();
});

showMetadata();
showNotices();
showPlayer();
showGraph();
showClasses();
showTrust();
await loadAll();
// Start at the frame with the highest mean heatmap value.
const course = data.methods[now.method]?.over_time ?? data.curve;
show({ index: course.indexOf(Math.max(...course)) });

/** For tests and debugging. */
window.kinoscope = { data, now, show, seek };
document.documentElement.dataset.ready = "yes";
