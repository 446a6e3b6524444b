// What the model says, and whether the heat shows what it goes by.

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

const COLUMNS = ["Heat", "Deletion ↓", "Insertion ↑", "Gain", "Against random orders", "Rank correlation", "With shuffled weights"];

/** @param {number[]} values */
function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

/** The lowest and the highest of some numbers. @param {number[]} values */
function range(values) {
  return `${Math.min(...values).toFixed(3)} to ${Math.max(...values).toFixed(3)}`;
}

/** Make a row of the table; on a phone each cell says what it is. @param {string} className @param {...(string|Node)} cells */
function tableRow(className, ...cells) {
  const row = make("tr", className);
  cells.forEach((content, i) => {
    const cell = make("td", null, null, make("span", "what", COLUMNS[i]), make("span", null, null, content));
    row.append(cell);
  });
  return row;
}

function judged(good, yes, no) {
  return make("b", good ? "yes" : "no", good ? yes : no);
}

function methodRow([name, row]) {
  const numbers = [row.deletion, row.insertion, row.gain].map((value) => value.toFixed(3));
  const better = judged(row.faithful, "better than all", "no better");
  const other = judged(row.sane, "another map", "much the same");
  const line = tableRow("method", name, ...numbers, better, mean(row.sanity).toFixed(2), other);
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
    `Deletion blanks the hottest places first and insertion brings them back first; both are areas under the probability of ${data.target}, which is ${percent(data.probability)} for the clip and ${percent(data.blank)} with nothing left of it. ` +
    `Gain is insertion minus deletion: heat that shows what the model goes by gains more than any random order. ` +
    `With shuffled weights the model knows nothing, so heat that stays alike there (rank correlation of ${data.alike} or more) shows the picture rather than the model.`;
}

function notice(title, text, mild) {
  byId("notices").append(make("p", mild ? "notice mild" : "notice", null, make("b", null, title), make("span", null, text)));
}

function showNotices() {
  const rows = Object.entries(data.methods);
  const weak = rows.filter(([, row]) => !row.faithful).map(([name]) => name);
  const blind = rows.filter(([, row]) => !row.sane).map(([name]) => name);
  if (weak.length) notice("Be careful", `here the heat of ${weak.join(", ")} is no better than a random order.`, true);
  if (blind.length) notice("Be careful", `the heat of ${blind.join(", ")} stays much the same with shuffled weights.`, true);
  if (Math.abs(data.probability - data.blank) < 0.1) notice("Little to see", `the model says ${data.target} with ${percent(data.blank)} even where nothing is left of the clip.`, true);
}
