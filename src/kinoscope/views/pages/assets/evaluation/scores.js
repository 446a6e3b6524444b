// The scores, each with its interval and the chance level.

/** @typedef {{value: ?number, low: ?number, high: ?number, uniform: ?number, majority: ?number}} Measure shares of one */
/** @typedef {{path: string, group: string, actual: string[], predicted: string[], right: boolean, loss: number,
 *             top: [string, number][]}} Clip */

const data = JSON.parse(byId("data").textContent);
const { scores } = data;

/** @param {?number} share @param {number} digits */
function percent(share, digits = 1) {
  return share === null ? "–" : `${(100 * share).toFixed(digits)} %`;
}

/** Position an element along its parent. @param {HTMLElement} element @param {number} from @param {?number} to shares of one */
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

function intervalText(measure) {
  return measure.low === null ? "no interval: too few groups of clips" : `95 %: ${(100 * measure.low).toFixed(1)} – ${percent(measure.high)}`;
}

function card(title, big, ...rest) {
  const value = make("div", "big", big.replace(/ %$/, ""));
  if (big.endsWith("%")) value.append(make("small", null, " %"));
  return make("article", "card measure", null, make("h2", null, title), value, ...rest);
}

function showMeasures() {
  const section = byId("measures");
  for (const [name, measure] of Object.entries(scores.measures)) {
    const chance = make("p", "chance");
    if (measure.uniform !== null) chance.append(make("span", null, `chance ${percent(measure.uniform)}`));
    if (measure.majority !== null) chance.append(make("span", "dashed", `most frequent ${percent(measure.majority)}`));
    const title = data.names[name] ?? name;
    section.append(card(title[0].toUpperCase() + title.slice(1), percent(measure.value), make("p", "dim", intervalText(measure)), rangeOf(measure), chance));
  }
  const right = scores.clips.filter((clip) => clip.right).length;
  const unreadable = Object.keys(scores.unreadable).length;
  const total = `of ${countText(scores.clips.length, "clip")}${unreadable ? `, ${unreadable} more cannot be read` : ""}`;
  const resampling = scores.groups === scores.clips.length ? "intervals: bootstrap over clips" : `intervals: bootstrap over ${countText(scores.groups, "group")}`;
  const intervals = Object.values(scores.measures).some((measure) => measure.low !== null);
  section.append(card("Correct", String(right), make("p", "dim", total), ...(intervals ? [make("p", "dim", resampling)] : [])));
}

function showMetadata() {
  byId("name").textContent = `${scores.model} on ${scores.data}`;
  const groups = scores.groups === scores.clips.length ? null : countText(scores.groups, "group");
  const fields = [countText(scores.clips.length, "clip"), countText(scores.classes.length, "class", "classes"), groups, scores.split === "all" ? null : `split ${scores.split}`, `${countText(scores.views, "view")} each`];
  for (const text of fields.filter(Boolean)) byId("metadata").append(make("span", null, text));
  const unreadable = Object.entries(scores.unreadable);
  if (unreadable.length) {
    const list = make("details", null, null, make("summary", null, `${countText(unreadable.length, "clip")} could not be read (not counted)`));
    for (const [path, reason] of unreadable.slice(0, 100)) list.append(make("div", "dim", `${path}: ${reason}`));
    byId("notices").append(make("div", "notice", null, list));
  }
  for (const note of scores.notes) byId("notices").append(make("div", "notice mild", note));
}
