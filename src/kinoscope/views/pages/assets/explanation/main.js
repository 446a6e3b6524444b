// Everything is put together here.

function showFacts() {
  byId("name").textContent = `Why ${data.source} shows ${data.target}`;
  const span = `${seconds(data.times[0])} to ${seconds(data.times[count - 1])}`;
  const which = data.windows > 1 ? `, the window of ${data.windows} in which it is the likeliest` : "";
  const facts = [`${data.target} ${percent(data.probability)}`, data.model, span + which, `${count} pictures`];
  byId("facts").append(...facts.map((fact) => make("span", null, fact)));
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

showFacts();
showNotices();
showPlayer();
showGraph();
showClasses();
showTrust();
await loadAll();
// The hottest picture comes first: it shows at once what the heat is about.
const course = data.methods[now.method]?.over_time ?? data.curve;
show({ index: course.indexOf(Math.max(...course)) });

/** For tests and for the curious. */
window.kinoscope = { data, now, show, seek };
document.documentElement.dataset.ready = "yes";
