// The confusion matrix.

/** Classes that have clips or were predicted. */
const inUse = scores.classes.map((_, i) => i).filter((i) => scores.confusion.some((row, j) => row[i] || (i === j && row.some(Boolean))));

function showMatrix() {
  byId("confusion").hidden = !scores.confusion.length;
  document.querySelector("main").classList.toggle("alone", !scores.confusion.length);
  if (!scores.confusion.length) return;
  const few = inUse.length <= 4;
  const matrix = make("div", few ? "matrix few" : "matrix");
  const [minCell, maxCell] = few ? [0, 150] : inUse.length <= 30 ? [18, 48] : [10, 18];
  matrix.style.setProperty("--cell", `${minCell}px`);
  matrix.style.gridTemplateColumns = `max-content repeat(${inUse.length}, minmax(${minCell}px, ${maxCell}px))`;
  document.querySelector("main").classList.toggle("wide", inUse.length > 16);
  matrix.append(make("span", "axis-name", "actual ↓ predicted →"));
  for (const i of inUse) matrix.append(nameOf(i, "column-name"));
  for (const actual of inUse) {
    matrix.append(nameOf(actual, "row-name"));
    for (const predicted of inUse) matrix.append(cellOf(actual, predicted, inUse.length <= 30));
  }
  byId("matrix").append(matrix);
}

function nameOf(index, kind) {
  const name = make("span", `name ${kind}`, null, make("span", null, scores.classes[index]));
  name.title = scores.classes[index];
  return name;
}

function cellOf(actual, predicted, numbered) {
  const count = scores.confusion[actual][predicted];
  const total = scores.confusion[actual].reduce((sum, each) => sum + each, 0);
  const share = total ? count / total : 0;
  const cell = make(count ? "button" : "span", "cell", numbered && count ? String(count) : "");
  cell.style.setProperty("--share", `${Math.round(100 * share)}%`);
  cell.classList.toggle("wrong", actual !== predicted);
  cell.classList.toggle("deep", share > 0.55);
  if (!count) return cell;
  const [from, to] = [scores.classes[actual], scores.classes[predicted]];
  cell.type = "button";
  cell.title = `${from} predicted as ${to}: ${count} of ${total} (${percent(share)})`;
  cell.setAttribute("aria-label", cell.title);
  cell.setAttribute("aria-pressed", "false");
  cell.addEventListener("click", () => toggleCell(cell, from, to));
  return cell;
}

function toggleCell(cell, from, to) {
  const on = cell.getAttribute("aria-pressed") === "false";
  releaseCells();
  if (!on) return showOnly(null);
  cell.setAttribute("aria-pressed", "true");
  const paths = scores.clips.filter((clip) => clip.actual[0] === from && clip.predicted[0] === to);
  showOnly(`${from} predicted as ${to}`, new Set(paths.map((clip) => clip.path)));
}

function releaseCells() {
  for (const cell of document.querySelectorAll('.cell[aria-pressed="true"]')) cell.setAttribute("aria-pressed", "false");
}
