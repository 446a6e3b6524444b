// The table of classes.

/** Columns: key, heading, text of a row. */
const COLUMNS = [
  ["name", "class", (row) => row.name],
  ["clips", "clips", (row) => String(row.clips)],
  ["recall", "recall", (row) => percent(row.recall)],
  ["precision", "precision", (row) => percent(row.precision)],
  ["average_precision", "AP", (row) => percent(row.average_precision)],
];
const sorting = { key: null, down: false };

function showClasses() {
  const heads = COLUMNS.map(([key, title]) => {
    const button = make("button", null, title);
    button.type = "button";
    button.addEventListener("click", () => sortBy(key));
    const head = make("th", null, null, button);
    head.dataset.key = key;
    return head;
  });
  const what = scores.multilabel ? "AP, 95 % interval" : "recall, 95 % interval";
  const bar = make("th", "bar-cell", null, make("span", "dim", what));
  byId("classes").append(make("thead", null, null, make("tr", null, null, ...heads, bar)), make("tbody"));
  fillClasses();
}

function sortBy(key) {
  sorting.down = sorting.key === key ? !sorting.down : key === "clips";
  sorting.key = key;
  for (const head of document.querySelectorAll("#classes th[data-key]")) {
    head.removeAttribute("aria-sort");
    if (head.dataset.key === key) head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
  }
  fillClasses();
}

function fillClasses() {
  const rows = scores.by_class.filter((row) => row.clips);
  const { key, down } = sorting;
  // Rows without a value come last in either order.
  if (key) rows.sort((a, b) => (a[key] === null) - (b[key] === null) || (down ? -1 : 1) * (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0));
  document.querySelector("#classes tbody").replaceChildren(
    ...rows.map((row) => {
      const value = scores.multilabel ? row.average_precision : row.recall;
      const bar = make("td", "bar-cell", null, rangeOf({ value, low: row.low, high: row.high }));
      return make("tr", null, null, ...COLUMNS.map(([, , text]) => make("td", null, text(row))), bar);
    }),
  );
}
