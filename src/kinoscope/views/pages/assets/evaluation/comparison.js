// Two models on the same clips.

function showComparison() {
  const { comparison } = data;
  if (!comparison) return;
  byId("comparison").hidden = false;
  byId("comparison-title").textContent = `${comparison.second} against ${comparison.first}, on the same ${countText(comparison.clips, "clip")}`;
  byId("verdict").textContent = comparison.verdict;
  const rows = Object.entries(comparison.measures).filter(([, row]) => row.difference !== null);
  const reach = Math.max(0.05, ...rows.flatMap(([, row]) => [row.difference, row.low ?? 0, row.high ?? 0].map(Math.abs))) * 1.1;
  for (const [name, row] of rows) byId("differences").append(differenceRow(name, row, reach));
  for (const [model, paths] of [[comparison.second, comparison.only_second], [comparison.first, comparison.only_first]]) {
    const chip = make("button", "chip", `correct only by ${model}: ${paths.length}`);
    chip.type = "button";
    chip.disabled = !paths.length;
    chip.addEventListener("click", () => showOnly(`correct only by ${model}`, new Set(paths)));
    byId("only").append(chip);
  }
}

/** @param {string} name @param {{first: number, second: number, difference: number, low: ?number, high: ?number}} row
 * @param {number} reach the axis goes from minus this to this */
function differenceRow(name, row, reach) {
  const axis = make("div", "axis", null, make("span", "zero"));
  const at = (value) => (value / reach + 1) / 2;
  if (row.low !== null) axis.append(along(make("i"), at(row.low), at(row.high)));
  axis.append(along(make("b"), at(row.difference)));
  const points = (value) => `${value > 0 ? "+" : ""}${(100 * value).toFixed(1)}`;
  const interval = row.low === null ? "" : ` (${points(row.low)} to ${points(row.high)})`;
  const title = make("div", null, data.names[name] ?? name, make("div", "dim", `${percent(row.first)} → ${percent(row.second)}`));
  return make("div", "difference", null, title, axis, make("div", null, `${points(row.difference)} points${interval}`));
}
