// The scores, each with its interval and what chance would have.

/** @typedef {{value: ?number, low: ?number, high: ?number, uniform: ?number, majority: ?number}} Measure shares of one */
/** @typedef {{path: string, group: string, actual: string[], predicted: string[], right: boolean, loss: number,
 *             top: [string, number][]}} Clip */

const data = JSON.parse(byId("data").textContent);
const { scores } = data;

/** @param {?number} share @param {number} digits */
function percent(share, digits = 1) {
  return share === null ? "–" : `${(100 * share).toFixed(digits)} %`;
}

/** Place an element along its parent. @param {HTMLElement} element @param {number} from @param {?number} to shares of one */
function along(element, from, to = null) {
  element.style.left = `${100 * from}%`;
  if (to !== null) element.style.width = `${100 * (to - from)}%`;
  return element;
}

/** Draw a value and its interval on a line from 0 to 1. @param {Measure} measure */
function rangeOf(measure) {
  const range = make("div", "range");
  range.setAttribute("aria-hidden", "true");
  if (measure.low !== null) range.append(along(make("i"), measure.low, measure.high));
  if (measure.uniform != null) range.append(along(make("u"), measure.uniform));
  if (measure.majority != null) range.append(along(make("u", "dashed"), measure.majority));
  if (measure.value !== null) range.append(along(make("b"), measure.value));
  return range;
}

function between(measure) {
  return measure.low === null ? "no interval: too few groups of clips" : `95 %: ${(100 * measure.low).toFixed(1)} – ${percent(measure.high)}`;
}

function card(title, big, ...rest) {
  const shown = make("div", "big", big.replace(/ %$/, ""));
  if (big.endsWith("%")) shown.append(make("small", null, " %"));
  return make("article", "card measure", null, make("h2", null, title), shown, ...rest);
}

function showMeasures() {
  const place = byId("measures");
  for (const [name, measure] of Object.entries(scores.measures)) {
    const chance = make("p", "chance");
    if (measure.uniform !== null) chance.append(make("span", null, `chance ${percent(measure.uniform)}`));
    if (measure.majority !== null) chance.append(make("span", "dashed", `most frequent ${percent(measure.majority)}`));
    const title = data.names[name] ?? name;
    place.append(card(title[0].toUpperCase() + title.slice(1), percent(measure.value), make("p", "dim", between(measure)), rangeOf(measure), chance));
  }
  const right = scores.clips.filter((clip) => clip.right).length;
  const unreadable = Object.keys(scores.unreadable).length;
  const counted = `of ${scores.clips.length} clips${unreadable ? `, ${unreadable} more cannot be read` : ""}`;
  const drawn = scores.groups === scores.clips.length ? "intervals draw clips anew" : `intervals draw ${scores.groups} groups anew`;
  place.append(card("Told right", String(right), make("p", "dim", counted), make("p", "dim", drawn)));
}

function showFacts() {
  byId("name").textContent = `${scores.model} on ${scores.data}`;
  const groups = scores.groups === scores.clips.length ? null : `${scores.groups} groups`;
  const facts = [`${scores.clips.length} clips`, `${scores.classes.length} classes`, groups, scores.split === "all" ? null : `split ${scores.split}`, scores.views === 1 ? "1 view of each" : `${scores.views} views of each`];
  for (const fact of facts.filter(Boolean)) byId("metadata").append(make("span", null, fact));
  const unreadable = Object.entries(scores.unreadable);
  if (unreadable.length) {
    const list = make("details", null, null, make("summary", null, `${unreadable.length} ${unreadable.length === 1 ? "clip" : "clips"} could not be read and count for nothing`));
    for (const [path, why] of unreadable.slice(0, 100)) list.append(make("div", "dim", `${path}: ${why}`));
    byId("notices").append(make("div", "notice", null, list));
  }
  for (const note of scores.notes) byId("notices").append(make("div", "notice mild", note));
}
