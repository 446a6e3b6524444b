// Which class was taken for which.

/** Classes that have clips or were told. */
const inUse = scores.classes.map((_, i) => i).filter((i) => scores.confusion.some((row, j) => row[i] || (i === j && row.some(Boolean))));

function showMatrix() {
  byId("confusion").hidden = !scores.confusion.length;
  document.querySelector("main").classList.toggle("alone", !scores.confusion.length);
  if (!scores.confusion.length) return;
  const few = inUse.length <= 4;
  const matrix = make("div", few ? "matrix few" : "matrix");
  const [least, most] = few ? [0, 150] : inUse.length <= 30 ? [18, 48] : [10, 18];
  matrix.style.setProperty("--cell", `${least}px`);
  matrix.style.gridTemplateColumns = `max-content repeat(${inUse.length}, minmax(${least}px, ${most}px))`;
  document.querySelector("main").classList.toggle("wide", inUse.length > 16);
  matrix.append(make("span", "axis-name", "actual ↓ told →"));
  for (const i of inUse) matrix.append(nameOf(i, "column-name"));
  for (const actual of inUse) {
    matrix.append(nameOf(actual, "row-name"));
    for (const told of inUse) matrix.append(cellOf(actual, told, inUse.length <= 30));
  }
  byId("matrix").append(matrix);
}

function nameOf(index, kind) {
  const name = make("span", `name ${kind}`, null, make("span", null, scores.classes[index]));
  name.title = scores.classes[index];
  return name;
}

function cellOf(actual, told, numbered) {
  const count = scores.confusion[actual][told];
  const total = scores.confusion[actual].reduce((sum, each) => sum + each, 0);
  const share = total ? count / total : 0;
  const cell = make(count ? "button" : "span", "cell", numbered && count ? String(count) : "");
  cell.style.setProperty("--share", `${Math.round(100 * share)}%`);
  cell.classList.toggle("wrong", actual !== told);
  cell.classList.toggle("deep", share > 0.55);
  if (!count) return cell;
  const [from, to] = [scores.classes[actual], scores.classes[told]];
  cell.type = "button";
  cell.title = `${from} told as ${to}: ${count} of ${total} (${percent(share)})`;
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
  showOnly(`${from} told as ${to}`, new Set(paths.map((clip) => clip.path)));
}

function releaseCells() {
  for (const cell of document.querySelectorAll('.cell[aria-pressed="true"]')) cell.setAttribute("aria-pressed", "false");
}
