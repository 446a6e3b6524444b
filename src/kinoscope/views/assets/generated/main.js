// A page of clips that a model made.

/** @type {any} */
const data = JSON.parse(byId("data").textContent);

/** Count names: "4 bend, 4 jack". @param {string[]} names */
function counted(names) {
  const counts = new Map();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => `${count} ${name}`).join(", ");
}

function showFacts() {
  byId("name").textContent = `${data.clips} clips by ${data.model}`;
  const facts = [`${data.frames} pictures each`, `${data.rate} a second`];
  byId("facts").append(...facts.map((fact) => make("span", null, fact)));
  const rows = [["Model", data.model], ["Seed", data.by], ["Time", `${data.seconds.toFixed(1)} s`]];
  if (data.labels.length) rows.push(["Classes", counted(data.labels)]);
  if (data.psnr !== null) rows.push(["First", `a real clip, then what the model makes of it (${data.psnr.toFixed(1)} dB), then with other motions`]);
  for (const [name, value] of rows) byId("made").append(make("dt", null, name), make("dd", null, value));
}

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
});
showFacts();
byId("clips").src = data.video;

/** For tests and for the curious. */
window.kinoscope = { data };
document.documentElement.dataset.ready = "yes";
