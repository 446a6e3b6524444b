// Painting of the lanes. Only the items in view are painted.

/** @typedef {{name: string, task: string, kind: string, items: Item[], height: number, depth: number, top: number,
 *             paint: (row: Row) => void}} Row */

const pen = byId("lanes").getContext("2d");
const theme = { text: "", muted: "", line: "", soft: "", accent: "" };
const thumbs = new Map();

/** Read the colours of the style sheet, which depend on light or dark. */
function readTheme() {
  const probe = document.body.appendChild(make("i"));
  for (const name of Object.keys(theme)) {
    probe.style.color = `var(--${name})`;
    theme[name] = getComputedStyle(probe).color;
  }
  probe.remove();
}

/** Return the items of a row that overlap the view. @param {Row} row */
function visibleItems(row) {
  return row.items.filter((item) => item.end >= view.start && item.start <= view.end);
}

/** Return left and width of an item in px, with a visible minimum width of 2. @param {Item} item */
function extent(item, gap = 1) {
  const left = Math.max(timeToX(item.start), -20);
  const right = Math.min(timeToX(item.end), view.width + 20);
  return [left, Math.max(right - left - gap, 2)];
}

/** Return the opacity of an item: low if it does not match the search. @param {Item} item */
function opacityOf(item) {
  return isMatch(item) ? 1 : 0.14;
}

function fillBar(x, y, width, height, colour, alpha = 1) {
  pen.globalAlpha = alpha;
  pen.fillStyle = colour;
  pen.beginPath();
  pen.roundRect(x, y, width, height, Math.min(4, width / 2, height / 2));
  pen.fill();
  pen.globalAlpha = 1;
}

/** Draw text, truncated to the available width, omitted if that is too small. */
function fillLabel(text, x, baseline, room, colour, fontWeight = 400) {
  if (room < 26 || !text) return;
  pen.font = `${fontWeight} 12px Inter, system-ui, sans-serif`;
  pen.fillStyle = colour;
  const width = pen.measureText(text).width;
  const shown = width <= room ? text : `${text.slice(0, Math.floor((text.length * (room - 10)) / width)).trimEnd()}…`;
  pen.fillText(shown, x, baseline);
}

/** Return start and width of the text of a bar: inside the bar, and in view. */
function labelStart(x, width, pad = 6) {
  const start = Math.max(x, 0) + pad;
  return [start, x + width - start - 4];
}

/** Paint shots with their images; if they are too narrow for that, a strip of images at regular times. @param {Row} row */
function paintShots(row) {
  if (row.items.length * 22 > (view.width * data.duration) / (view.end - view.start)) return paintStrip(row);
  row.items.forEach((item, i) => {
    if (item.end < view.start || item.start > view.end) return;
    const [x, width] = extent(item, 1.5);
    fillBar(x, row.top + 3, width, row.height - 6, i % 2 ? theme.line : theme.soft, opacityOf(item));
    if (width > 22) paintThumb(item, x, row.top + 3, width, row.height - 6);
  });
  return undefined;
}

/** @param {Row} row */
function paintStrip(row) {
  const height = row.height - 6;
  const width = (height * 16) / 9;
  const step = (width / view.width) * (view.end - view.start);
  for (let i = Math.floor(view.start / step); i * step < view.end; i++) {
    const item = currentOf(row.items, (i + 0.5) * step);
    if (item) paintTile(item, timeToX(i * step), row.top + 3, width - 2, height);
  }
}

/** Fill a rectangle with the centre of an image. @param {Item} item */
function paintTile(item, x, y, width, height) {
  fillBar(x, y, width, height, theme.soft, opacityOf(item));
  const image = thumb(item.image);
  if (!image) return;
  const scale = Math.max(width / image.naturalWidth, height / image.naturalHeight);
  const [w, h] = [width / scale, height / scale];
  pen.globalAlpha = opacityOf(item);
  pen.drawImage(image, (image.naturalWidth - w) / 2, (image.naturalHeight - h) / 2, w, h, x, y, width, height);
  pen.globalAlpha = 1;
}

/** Draw a shot's image at its start, and its name if there is room left. */
function paintThumb(item, x, y, width, height) {
  const image = thumb(item.image);
  const shape = image ? image.naturalWidth / image.naturalHeight : 0;
  pen.save();
  pen.globalAlpha = opacityOf(item);
  pen.beginPath();
  pen.roundRect(x, y, width, height, 4);
  pen.clip();
  if (image) pen.drawImage(image, x, y, height * shape, height);
  pen.restore();
  pen.globalAlpha = opacityOf(item);
  const [start, room] = labelStart(x + height * shape, width - height * shape, 8);
  fillLabel(item.label, start, y + 18, room, theme.text, 600);
  fillLabel(item.text, start, y + 34, room, theme.muted);
  pen.globalAlpha = 1;
}

/** Return an image that is ready to draw, or null; its loading triggers a repaint. @param {?string} name */
function thumb(name) {
  const url = imageUrl(name);
  if (!url) return null;
  if (!thumbs.has(name)) {
    const image = new Image();
    thumbs.set(name, image);
    image.addEventListener("load", () => view.onChange());
    image.src = url;
  }
  const image = thumbs.get(name);
  return image.complete && image.naturalWidth ? image : null;
}

/** Paint bars in one line with their label or text inside. @param {Row} row */
function paintBars(row) {
  for (const item of visibleItems(row)) {
    const [x, width] = extent(item);
    fillBar(x, row.top + 4, width, row.height - 8, hueColour(item.hue, 0.32), opacityOf(item));
    if (width > 8) fillBar(x, row.top + 4, 3, row.height - 8, hueColour(item.hue), opacityOf(item));
    pen.globalAlpha = opacityOf(item);
    const [start, room] = labelStart(x, width, 8);
    fillLabel(item.text || item.label, start, row.top + row.height / 2 + 4, room, theme.text);
    pen.globalAlpha = 1;
  }
}

/** Paint thin bars, simultaneous ones below each other; if there are too many, a curve of their number. @param {Row} row */
function paintTracks(row) {
  const visible = visibleItems(row);
  if (row.depth > 4 || visible.length * 5 > view.width) return paintDensity(row);
  const step = (row.height - 8) / row.depth;
  for (const item of visible) {
    const [x, width] = extent(item);
    fillBar(x, row.top + 4 + item.depth * step, width, Math.min(step - 1.5, 14), hueColour(item.hue), opacityOf(item));
  }
  return undefined;
}

/** @param {Row} row */
function paintDensity(row) {
  const hue = row.kind === "person" ? row.items[0].hue : taskHue(row.task);
  const maxCount = row.depth;
  paintArea(row, counts(row.items), maxCount, hueColour(hue, isSearching() ? 0.14 : 0.75));
  if (isSearching()) paintArea(row, counts(row.items.filter(isMatch)), maxCount, hueColour(hue, 0.9));
}

/** Count the items at each pixel. @param {Item[]} list @returns {Int32Array} */
function counts(list, width = view.width, x = timeToX) {
  const changes = new Int32Array(Math.ceil(width) + 2);
  for (const item of list) {
    const [from, to] = [x(item.start), x(item.end)];
    if (to < 0 || from > width) continue;
    changes[Math.max(0, Math.floor(from))]++;
    changes[Math.min(Math.ceil(width), Math.floor(to)) + 1]--;
  }
  for (let i = 1; i < changes.length; i++) changes[i] += changes[i - 1];
  return changes;
}

/** @param {{top: number, height: number}} row @param {Int32Array} values @param {number} maxValue */
function paintArea(row, values, maxValue, colour, context = pen) {
  const floor = row.top + row.height - 3;
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(0, floor);
  for (let x = 0; x < values.length - 1; x++) {
    const y = floor - (values[x] / Math.max(maxValue, 1)) * (row.height - 7);
    context.lineTo(x, y);
    context.lineTo(x + 1, y);
  }
  context.lineTo(values.length, floor);
  context.fill();
}

/** Paint events as bands, under the curve of their score. @param {Row} row */
function paintEvents(row) {
  for (const item of visibleItems(row)) {
    const [x, width] = extent(item);
    fillBar(x, row.top + 3, width, row.height - 6, hueColour(item.hue, 0.35), opacityOf(item));
    const [start, room] = labelStart(x, width);
    pen.globalAlpha = opacityOf(item);
    fillLabel(item.label, start, row.top + row.height - 9, room, theme.text, 600);
    pen.globalAlpha = 1;
  }
  if (row.task === "actions" && data.curve) paintCurve(row);
}

/** @param {Row} row */
function paintCurve(row) {
  const floor = row.top + row.height - 4;
  const pad = (view.end - view.start) * 0.05;
  pen.strokeStyle = hueColour(taskHue(row.task));
  pen.lineWidth = 1.5;
  pen.beginPath();
  for (const [time, score] of data.curve) {
    if (time >= view.start - pad && time <= view.end + pad) pen.lineTo(timeToX(time), floor - score * (row.height - 8));
  }
  pen.stroke();
}
