// Class probabilities, and the faithfulness and sanity checks of the heatmaps.

function percent(share) {
  return `${(100 * share).toFixed(1)} %`;
}

function showClasses() {
  for (const [name, share] of Object.entries(data.classes)) {
    const track = make("span", "track", null, make("i"));
    track.firstChild.style.width = `${100 * share}%`;
    const row = make("div", name === data.target ? "class target" : "class", null, make("span", "called", name), make("b", null, percent(share)), track);
    byId("classes").append(row);
  }
}

const COLUMNS = ["Method", "Deletion ↓", "Insertion ↑", "Gain", "Against random orders", "Rank correlation", "With shuffled weights"];

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** Return the lowest and the highest of some numbers. @param {number[]} values */
function range(values) {
  return `${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`;
}

/** Create a row of the table; on a narrow screen each cell shows its column. @param {string} className @param {...(string|Node)} cells */
function tableRow(className, ...cells) {
  const row = make("tr", className);
  cells.forEach((content, i) => {
    const cell = make("td", null, null, make("span", "what", COLUMNS[i]), make("span", null, null, content));
    row.append(cell);
  });
  return row;
}

function checkResult(good, yes, no) {
  return make("b", good ? "yes" : "no", good ? yes : no);
}

function methodRow([name, row]) {
  const numbers = [row.deletion, row.insertion, row.gain].map((value) => value.toFixed(3));
  const better = checkResult(row.faithful, "better than all", "no better");
  const sane = checkResult(row.sane, "changes", "hardly changes");
  const line = tableRow("method", name, ...numbers, better, mean(row.sanity).toFixed(2), sane);
  watchers.push(() => line.classList.toggle("shown", now.method === name));
  return line;
}

function showTrust() {
  const head = make("thead", null, null, make("tr", null, null, ...COLUMNS.map((name) => make("th", null, name))));
  const { deletion, insertion, gain } = data.random;
  const spread = [deletion, insertion, gain].map((values) => make("span", null, mean(values).toFixed(3), make("small", null, range(values))));
  const random = tableRow("random", `${gain.length} random orders`, ...spread, "", "", "");
  byId("trust").append(head, make("tbody", null, null, ...Object.entries(data.methods).map(methodRow), random));
  byId("trust-text").textContent =
    `Deletion blanks the regions with the highest values first, insertion restores them first; both are areas under the probability of ${data.target}, which is ${percent(data.probability)} for the clip and ${percent(data.blank)} for a blank one. ` +
    `Gain is insertion minus deletion: a faithful heatmap gains more than any random order. ` +
    `A model with shuffled weights has learned nothing: a heatmap that hardly changes (rank correlation of ${data.max_sane_correlation} or more) shows the input rather than the model.`;
}

function notice(title, text, mild) {
  byId("notices").append(make("p", mild ? "notice mild" : "notice", null, make("b", null, title), make("span", null, text)));
}

function showNotices() {
  const rows = Object.entries(data.methods);
  const weak = rows.filter(([, row]) => !row.faithful).map(([name]) => name);
  const blind = rows.filter(([, row]) => !row.sane).map(([name]) => name);
  if (weak.length) notice("Caution", `the heatmaps of ${weak.join(", ")} are no better than a random order.`, true);
  if (blind.length) notice("Caution", `the heatmaps of ${blind.join(", ")} hardly change with shuffled weights.`, true);
  if (Math.abs(data.probability - data.blank) < 0.1) notice("Little evidence", `the model predicts ${data.target} with ${percent(data.blank)} even for a blank clip.`, true);
}
