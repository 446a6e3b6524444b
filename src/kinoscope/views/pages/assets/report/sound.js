// Sound and picture: by how much the sound is late over time, and below how alike lips and sound are at every lag.

/** @typedef {{text: string, detail: string, start: number, end: number, from: number, to: number, below: number,
 *             above: number}} Verdict offsets in s, more than 0 where the sound is late */
/** @typedef {{verdicts: Verdict[], reason: ?string, speakers: [string, number][], times: number[], width: number,
 *             offsets: number[], confidences: number[], lags: [number, number, number], curves: string}} Sync
 *             offsets in ms; lags: first, last, how many; curves: a byte for each time and lag, in base64 */

/** @type {?Sync} */
const sync = data.sync;
const soundCanvas = byId("sound-lanes");
const soundPen = soundCanvas.getContext("2d");
const plot = { top: rulerHeight + 2, height: 104 };
const heat = { top: plot.top + plot.height + 12, height: 124, image: null, colour: "" };
const tickSteps = [0.05, 0.1, 0.2, 0.5];
/** Offset at the upper end of the plot, in s. */
const plotReach = sync ? reachOf(sync) : 0;

/** Give how far from 0 the plot must go to show what can be relied on. @param {Sync} sync */
function reachOf({ verdicts, offsets, confidences, lags }) {
  const points = offsets.filter((_, i) => confidences[i] >= 0.5).map((ms) => ms / 1000);
  const ends = verdicts.flatMap(({ from, to, below, above }) => [from - below, from + above, to - below, to + above]);
  return Math.min(Math.max(0.12, ...[...points, ...ends].map((s) => Math.abs(s) * 1.2)), lags[1]);
}

function wireSound() {
  byId("sound").hidden = !sync;
  if (!sync) return;
  byId("verdicts").replaceChildren(...sync.verdicts.map(verdictLine), ...speakersLine(), ...(sync.verdicts.length ? [] : [reasonLine()]));
  byId("sound-body").hidden = byId("sound-hint").hidden = !sync.times.length;
  soundCanvas.style.height = `${heat.top + heat.height + 8}px`;
  byId("scales").append(...scale("Offset", plot, plotTicks()), ...scale("Likeness", heat, [[sync.lags[1], "+1 s"], [0, "0"], [sync.lags[0], "−1 s"]]));
  soundCanvas.addEventListener("pointerdown", (event) => event.button === 0 && seek(xToTime(event.offsetX)));
  soundCanvas.addEventListener("pointermove", moveSound);
  soundCanvas.addEventListener("pointerleave", () => (byId("tip").hidden = true));
  soundCanvas.addEventListener("wheel", turnWheel, { passive: false });
}

/** Say an offset; where there are several, with the stretch that it is of. @param {Verdict} verdict */
function verdictLine({ text, detail, start, end }) {
  const when = sync.verdicts.length > 1 ? make("button", "span", spanText(start, end)) : null;
  when?.addEventListener("click", () => seek(start + 0.002));
  return make("p", "verdict", null, when, make("b", null, text), make("span", "dim", detail));
}

function reasonLine() {
  return make("p", "verdict", null, make("b", null, "Not measurable"), make("span", "dim", sync.reason ?? ""));
}

function speakersLine() {
  if (!sync.speakers.length) return [];
  const few = sync.speakers.slice(0, 8).map(([name, seconds]) => `${name}: ${lengthText(seconds)}`);
  const rest = sync.speakers.length > 8 ? [`${sync.speakers.length - 8} more`] : [];
  return [make("p", "verdict", null, make("span", "dim", `Speaking – ${[...few, ...rest].join(", ")}`))];
}

/** @returns {[number, string][]} */
function plotTicks() {
  const step = tickSteps.findLast((s) => s <= plotReach * 0.85);
  return [[step, `+${step * 1000} ms`], [0, "0"], [-step, `−${step * 1000} ms`]];
}

/** Name a plot beside it, and its heights. @param {{top: number, height: number}} place @param {[number, string][]} ticks */
function scale(name, place, ticks) {
  const at = (element, y) => (element.style.top = `${y}px`) && element;
  const reach = place === plot ? plotReach : sync.lags[1];
  return [at(make("span", "scale", name), place.top + 2), ...ticks.map(([value, text]) => at(make("span", "tick", text), offsetToY(value, place, reach)))];
}

/** Give the height at which an offset stands: late above, early below. @param {number} seconds */
function offsetToY(seconds, place, reach) {
  return place.top + (place.height / 2) * (1 - seconds / reach);
}

function paintSound() {
  if (!sync?.times.length || !view.width) return;
  fitCanvas(soundCanvas, soundPen);
  soundPen.clearRect(0, 0, soundCanvas.clientWidth, soundCanvas.clientHeight);
  paintRuler(soundPen, soundCanvas.clientHeight);
  paintHeat();
  for (const [value] of plotTicks()) paintLevel(offsetToY(value, plot, plotReach));
  paintZero(offsetToY(0, plot, plotReach));
  paintZero(offsetToY(0, heat, sync.lags[1]));
  soundPen.save();
  soundPen.beginPath();
  soundPen.rect(0, plot.top, view.width, plot.height);
  soundPen.clip();
  sync.verdicts.forEach(paintVerdict);
  paintPoints();
  soundPen.restore();
}

function paintLevel(y) {
  soundPen.fillStyle = theme.line;
  soundPen.fillRect(0, Math.round(y), view.width, 1);
}

function paintZero(y) {
  soundPen.strokeStyle = theme.muted;
  soundPen.lineWidth = 1;
  soundPen.setLineDash([4, 4]);
  soundPen.beginPath();
  soundPen.moveTo(0, Math.round(y) + 0.5);
  soundPen.lineTo(view.width, Math.round(y) + 0.5);
  soundPen.stroke();
  soundPen.setLineDash([]);
}

/** The line of an offset within the band of its interval; a drift makes it slope. @param {Verdict} verdict */
function paintVerdict({ start, end, from, to, below, above }) {
  const [left, right] = [timeToX(start), timeToX(end)];
  const y = (seconds) => offsetToY(seconds, plot, plotReach);
  soundPen.fillStyle = hueColour(taskHue("sync"), 0.28);
  soundPen.beginPath();
  soundPen.moveTo(left, y(from + above));
  soundPen.lineTo(right, y(to + above));
  soundPen.lineTo(right, y(to - below));
  soundPen.lineTo(left, y(from - below));
  soundPen.fill();
  soundPen.strokeStyle = hueColour(taskHue("sync"));
  soundPen.lineWidth = 2;
  soundPen.beginPath();
  soundPen.moveTo(left, y(from));
  soundPen.lineTo(right, y(to));
  soundPen.stroke();
}

/** A point for each stretch, the fainter the less sure. */
function paintPoints() {
  const radius = Math.min(Math.max(timeToX(view.start + sync.width) / 2, 1), 3);
  soundPen.fillStyle = theme.text;
  for (const i of soundInSight()) {
    soundPen.globalAlpha = Math.max(sync.confidences[i], 0.08);
    soundPen.beginPath();
    soundPen.arc(timeToX(sync.times[i]), offsetToY(sync.offsets[i] / 1000, plot, plotReach), radius, 0, 7);
    soundPen.fill();
  }
  soundPen.globalAlpha = 1;
}

/** @returns {number[]} places of the stretches that touch the view */
function soundInSight() {
  return [...sync.times.keys()].filter((i) => Math.abs(sync.times[i] - (view.start + view.end) / 2) <= (view.end - view.start + sync.width) / 2);
}

function paintHeat() {
  if (heat.colour !== theme.accent) heat.image = heatImage((heat.colour = theme.accent));
  soundPen.fillStyle = theme.soft;
  soundPen.fillRect(0, heat.top, view.width, heat.height);
  for (const i of soundInSight()) {
    const [left, right] = [sync.times[i] - sync.width / 2, sync.times[i] + sync.width / 2].map((time) => Math.round(timeToX(time)));
    soundPen.drawImage(heat.image, i, 0, 1, heat.image.height, left, heat.top, Math.max(right - left, 1), heat.height);
  }
}

/** Give the likenesses as a picture: a column for each time, late above, the stronger the more alike. @param {string} colour */
function heatImage(colour) {
  const [wide, high] = [sync.times.length, sync.lags[2]];
  const image = Object.assign(document.createElement("canvas"), { width: wide, height: high });
  const context = image.getContext("2d");
  const pixels = context.createImageData(wide, high);
  const bytes = atob(sync.curves);
  for (let i = 0; i < bytes.length; i++) {
    const [column, lag] = [Math.floor(i / high), i % high];
    pixels.data[((high - 1 - lag) * wide + column) * 4 + 3] = bytes.charCodeAt(i);
  }
  context.putImageData(pixels, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, wide, high);
  return image;
}

/** Dragging goes through the video; hovering tells what was measured there. @param {PointerEvent} event */
function moveSound(event) {
  if (event.buttons & 1) return seek(xToTime(event.offsetX));
  const time = xToTime(event.offsetX);
  const i = sync.times.findIndex((middle) => Math.abs(middle - time) <= sync.width / 2);
  const tip = byId("tip");
  tip.hidden = false;
  tip.replaceChildren(make("div", null, null, make("b", null, i < 0 ? "No face with speech here" : offsetText(i)), make("span", "dim", clockText(time))));
  placeTip(tip, event);
  return undefined;
}

/** @param {number} i */
function offsetText(i) {
  const ms = sync.offsets[i];
  return `${ms < 0 ? "−" : "+"}${Math.abs(ms)} ms, ${Math.round(sync.confidences[i] * 100)} % sure`;
}
