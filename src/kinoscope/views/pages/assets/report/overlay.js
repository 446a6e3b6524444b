// The overlay of the video: boxes on a canvas, subtitles as text, and current events in a strip above the video.

const overlay = { canvas: byId("overlay"), context: byId("overlay").getContext("2d"), time: 0, hidden: new Set(), selected: null };

/** Tracks by time slot, so that drawing a frame considers only those that may be visible. A slot is a second, or longer
 * for a video of many hours. */
const slotTime = Math.max(1, data.duration / 8000);
const bySlot = indexTracks();
const [frameWidth, frameHeight] = frameSize();

function frameSize() {
  const { width, height } = data.source;
  if (width && height) return [width, height];
  const reach = (side) => data.tracks.reduce((max, t) => t.boxes.reduce((m, v, i) => (i % 2 === side ? Math.max(m, v) : m), max), 0);
  return [reach(0) || 16, reach(1) || 9];
}

function indexTracks() {
  const index = new Map();
  for (const item of items.filter((item) => item.track)) {
    const first = Math.max(slotOf(item.start - frameTime), 0);
    for (let slot = first; slot <= slotOf(item.end + frameTime); slot++) {
      if (!index.has(slot)) index.set(slot, []);
      index.get(slot).push(item);
    }
  }
  return index;
}

/** @param {number} time */
function slotOf(time) {
  return Math.floor(time / slotTime);
}

/** Return the visible boxes at a time, as {item, box}. @param {number} time */
function boxesAt(time) {
  const near = bySlot.get(slotOf(time)) ?? [];
  return near.map((item) => ({ item, box: boxAt(item.track, time) })).filter(({ box }) => box);
}

/** Draw the overlay of a time. @param {number} time */
function drawOverlay(time) {
  overlay.time = time;
  fitCanvas(overlay.canvas, overlay.context);
  const { clientWidth: width, clientHeight: height } = overlay.canvas;
  overlay.context.clearRect(0, 0, width, height);
  const shown = boxesAt(time).filter(({ item }) => !overlay.hidden.has(item.task));
  for (const { item, box } of shown) drawBox(item, scaleBox(box, width, height));
  showText(time);
}

/** Set the size of a canvas to its size in device pixels. */
function fitCanvas(canvas, context) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
}

function scaleBox([x1, y1, x2, y2], width, height) {
  const [sx, sy] = [width / frameWidth, height / frameHeight];
  return [x1 * sx, y1 * sy, (x2 - x1) * sx, (y2 - y1) * sy];
}

/** @param {Item} item @param {number[]} rectangle x, y, width, height in px of the screen */
function drawBox(item, [x, y, width, height]) {
  const { context } = overlay;
  const strong = overlay.selected === item;
  context.globalAlpha = isMatch(item) ? 1 : 0.25;
  context.beginPath();
  if (item.kind === "person") corners(context, x, y, width, height);
  else context.roundRect(x, y, width, height, Math.min(4, width / 4, height / 4));
  context.lineWidth = strong ? 6 : 4;
  context.strokeStyle = "rgb(0 0 0 / 0.35)";
  context.stroke();
  context.lineWidth = strong ? 4 : 2;
  context.strokeStyle = hueColour(item.hue);
  context.stroke();
  drawTag(item, x, y);
  context.globalAlpha = 1;
}

/** Trace the four corners of a rectangle: the shape distinguishes faces from objects. */
function corners(context, x, y, width, height) {
  const arm = Math.min(width, height) * 0.28;
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + width, y, -1, 1], [x + width, y + height, -1, -1], [x, y + height, 1, -1]]) {
    context.moveTo(cx + dx * arm, cy);
    context.lineTo(cx, cy);
    context.lineTo(cx, cy + dy * arm);
  }
}

/** Draw the name of a box above it, or inside if there is no room above. */
function drawTag(item, x, y) {
  const { context, canvas } = overlay;
  const text = item.kind === "person" ? item.label : `${item.label} ${item.note}`.trim();
  const size = canvas.clientWidth < 480 ? 10 : 12;
  context.font = `600 ${size}px Inter, system-ui, sans-serif`;
  const width = context.measureText(text).width + size;
  const left = Math.max(0, Math.min(x - 1, canvas.clientWidth - width));
  const height = size + 6;
  const top = y > height + 2 ? y - height - 2 : y + 2;
  context.fillStyle = hueColour(item.hue, 0.95);
  context.beginPath();
  context.roundRect(left, top, width, height, 4);
  context.fill();
  context.fillStyle = "#101114";
  context.fillText(text, left + size / 2, top + size + 1);
}

const sentences = ofKind("speech");
const eventItems = items.filter((item) => item.kind === "event");

/** Return until when an event is shown, in seconds: an alert, which may be momentary, at least 2 s. @param {Item} item */
function displayEnd(item) {
  return item.task === "rules" ? Math.max(item.end, item.start + 2) : item.end;
}

/** Show the current subtitle and the current events. */
function showText(time) {
  const sentence = overlay.hidden.has("speech") ? null : currentOf(sentences, time);
  setText(byId("subtitle"), sentence?.text ?? "");
  const banners = eventItems.filter((item) => item.start <= time + 0.001 && displayEnd(item) > time && !overlay.hidden.has(item.task));
  const wanted = banners.map((item) => (item.task === "rules" ? item.label : `${item.label} ${Math.round(item.score * 100)} %`));
  const strip = byId("banners");
  strip.hidden = !eventItems.length;
  if (strip.dataset.shown === wanted.join("\n")) return;
  strip.dataset.shown = wanted.join("\n");
  strip.replaceChildren(...wanted.map((text) => make("span", "banner", text)));
}

/** Update a line of text if it differs; hide an empty one. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
  element.hidden = !text;
}
