// Audio-visual synchronization: the offset of the audio over time, and below it the similarity of lips and audio by lag.

/** @typedef {{text: string, detail: string, start: number, end: number, from: number, to: number, below: number,
 *             above: number}} Verdict offsets in s, positive where the audio is late */
/** @typedef {{verdicts: Verdict[], reason: ?string, speakers: [string, number][], times: number[], width: number,
 *             offsets: number[], confidences: number[], lags: [number, number, number], curves: string}} Sync
 *             offsets in ms; lags: first, last, count; curves: a byte for each time and lag, in base64 */

/** @type {?Sync} */
const sync = data.sync;
const audioCanvas = byId("audio-lanes");
const audioPen = audioCanvas.getContext("2d");
const plot = { top: rulerHeight + 2, height: 104 };
const similarity = { top: plot.top + plot.height + 12, height: 124, image: null, colour: "" };
const tickSteps = [0.05, 0.1, 0.2, 0.5];
/** Offset at the upper end of the plot, in s. */
const plotReach = sync ? reachOf(sync) : 0;

/** Return the largest offset of the plot, in s, that shows all confident measurements. @param {Sync} sync */
function reachOf({ verdicts, offsets, confidences, lags }) {
  const points = offsets.filter((_, i) => confidences[i] >= 0.5).map((ms) => ms / 1000);
  const ends = verdicts.flatMap(({ from, to, below, above }) => [from - below, from + above, to - below, to + above]);
  return Math.min(Math.max(0.12, ...[...points, ...ends].map((s) => Math.abs(s) * 1.2)), lags[1]);
}

function wireAudio() {
  byId("audio").hidden = !sync;
  if (!sync) return;
  byId("verdicts").replaceChildren(...sync.verdicts.map(verdictLine), ...speakersLine(), ...(sync.verdicts.length ? [] : [reasonLine()]));
  byId("audio-body").hidden = byId("audio-hint").hidden = !sync.times.length;
  audioCanvas.style.height = `${similarity.top + similarity.height + 8}px`;
  byId("scales").append(...scale("Offset", plot, plotTicks()), ...scale("Similarity", similarity, [[sync.lags[1], "+1 s"], [0, "0"], [sync.lags[0], "−1 s"]]));
  audioCanvas.addEventListener("pointerdown", (event) => event.button === 0 && seek(xToTime(event.offsetX)));
  audioCanvas.addEventListener("pointermove", moveAudio);
  audioCanvas.addEventListener("pointerleave", () => (byId("tip").hidden = true));
  audioCanvas.addEventListener("wheel", onWheel, { passive: false });
}

/** Create the line of an offset, with its interval if there are several. @param {Verdict} verdict */
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

/** Create the title and the ticks of a plot. @param {{top: number, height: number}} area @param {[number, string][]} ticks */
function scale(name, area, ticks) {
  const at = (element, y) => (element.style.top = `${y}px`) && element;
  const reach = area === plot ? plotReach : sync.lags[1];
  return [at(make("span", "scale", name), area.top + 2), ...ticks.map(([value, text]) => at(make("span", "tick", text), offsetToY(value, area, reach)))];
}

/** Return the y coordinate of an offset: late above 0, early below. @param {number} seconds */
function offsetToY(seconds, area, reach) {
  return area.top + (area.height / 2) * (1 - seconds / reach);
}

function paintAudio() {
  if (!sync?.times.length || !view.width) return;
  fitCanvas(audioCanvas, audioPen);
  audioPen.clearRect(0, 0, audioCanvas.clientWidth, audioCanvas.clientHeight);
  paintRuler(audioPen, audioCanvas.clientHeight);
  paintSimilarity();
  for (const [value] of plotTicks()) paintLevel(offsetToY(value, plot, plotReach));
  paintZero(offsetToY(0, plot, plotReach));
  paintZero(offsetToY(0, similarity, sync.lags[1]));
  audioPen.save();
  audioPen.beginPath();
  audioPen.rect(0, plot.top, view.width, plot.height);
  audioPen.clip();
  sync.verdicts.forEach(paintVerdict);
  paintPoints();
  audioPen.restore();
}

function paintLevel(y) {
  audioPen.fillStyle = theme.line;
  audioPen.fillRect(0, Math.round(y), view.width, 1);
}

function paintZero(y) {
  audioPen.strokeStyle = theme.muted;
  audioPen.lineWidth = 1;
  audioPen.setLineDash([4, 4]);
  audioPen.beginPath();
  audioPen.moveTo(0, Math.round(y) + 0.5);
  audioPen.lineTo(view.width, Math.round(y) + 0.5);
  audioPen.stroke();
  audioPen.setLineDash([]);
}

/** Paint the line of an offset within the band of its interval; with drift it slopes. @param {Verdict} verdict */
function paintVerdict({ start, end, from, to, below, above }) {
  const [left, right] = [timeToX(start), timeToX(end)];
  const y = (seconds) => offsetToY(seconds, plot, plotReach);
  audioPen.fillStyle = hueColour(taskHue("sync"), 0.28);
  audioPen.beginPath();
  audioPen.moveTo(left, y(from + above));
  audioPen.lineTo(right, y(to + above));
  audioPen.lineTo(right, y(to - below));
  audioPen.lineTo(left, y(from - below));
  audioPen.fill();
  audioPen.strokeStyle = hueColour(taskHue("sync"));
  audioPen.lineWidth = 2;
  audioPen.beginPath();
  audioPen.moveTo(left, y(from));
  audioPen.lineTo(right, y(to));
  audioPen.stroke();
}

/** Paint a point for each window, fainter with lower confidence. */
function paintPoints() {
  const radius = Math.min(Math.max(timeToX(view.start + sync.width) / 2, 1), 3);
  audioPen.fillStyle = theme.text;
  for (const i of visibleWindows()) {
    audioPen.globalAlpha = Math.max(sync.confidences[i], 0.08);
    audioPen.beginPath();
    audioPen.arc(timeToX(sync.times[i]), offsetToY(sync.offsets[i] / 1000, plot, plotReach), radius, 0, 7);
    audioPen.fill();
  }
  audioPen.globalAlpha = 1;
}

/** @returns {number[]} indices of the windows in view */
function visibleWindows() {
  return [...sync.times.keys()].filter((i) => Math.abs(sync.times[i] - (view.start + view.end) / 2) <= (view.end - view.start + sync.width) / 2);
}

function paintSimilarity() {
  if (similarity.colour !== theme.accent) similarity.image = similarityImage((similarity.colour = theme.accent));
  audioPen.fillStyle = theme.soft;
  audioPen.fillRect(0, similarity.top, view.width, similarity.height);
  for (const i of visibleWindows()) {
    const [left, right] = [sync.times[i] - sync.width / 2, sync.times[i] + sync.width / 2].map((time) => Math.round(timeToX(time)));
    audioPen.drawImage(similarity.image, i, 0, 1, similarity.image.height, left, similarity.top, Math.max(right - left, 1), similarity.height);
  }
}

/** Return the similarities as an image: a column for each time, late above, more opaque with higher similarity. @param {string} colour */
function similarityImage(colour) {
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

/** Seek on drag; show the offset on hover. @param {PointerEvent} event */
function moveAudio(event) {
  if (event.buttons & 1) return seek(xToTime(event.offsetX));
  const time = xToTime(event.offsetX);
  const i = sync.times.findIndex((middle) => Math.abs(middle - time) <= sync.width / 2);
  const tip = byId("tip");
  tip.hidden = false;
  tip.replaceChildren(make("div", null, null, make("b", null, i < 0 ? "No speaking face here" : offsetText(i)), make("span", "dim", clockText(time))));
  placeTip(tip, event);
  return undefined;
}

/** @param {number} i */
function offsetText(i) {
  const ms = sync.offsets[i];
  return `${ms < 0 ? "−" : "+"}${Math.abs(ms)} ms, confidence ${Math.round(sync.confidences[i] * 100)} %`;
}
