// The lanes: one row of the timeline for each task, label or person, below an overview of the whole video.

const canvas = byId("lanes");
const rulerHeight = 26;
const maxRows = 8;
/** @type {Row[]} */
const rows = buildRows();

/** Build the rows: those with the longest total duration first, the rest of a task together in one. @returns {Row[]} */
function buildRows() {
  const chosen = [
    row("Shots", "shots", "shot", ofKind("shot"), 58, paintShots),
    row("Scenes", "scenes", "scene", ofKind("scene"), 30, paintBars),
    ...groupRows("objects", "object", items.filter((item) => item.kind === "object")),
    ...groupRows("faces", "person", ofKind("person")),
    ...[...eventTasks()].map((task) => row(title(task), task, "event", eventItems.filter((i) => i.task === task), 44, paintEvents)),
    row("Speech", "speech", "speech", sentences, 32, paintBars),
    row("Audio offset", "sync", "offset", ofKind("offset"), 30, paintBars),
    ...groupRows("sync", "speaker", ofKind("speaker")),
  ].filter((row) => row.items.length || (row.task === "actions" && data.curve));
  let top = rulerHeight;
  for (const row of chosen) top = (row.top = top) + row.height;
  return chosen;
}

/** Return the event tasks, which have a row each; actions also if there is only a curve. */
function eventTasks() {
  return new Set([...(data.curve ? ["actions"] : []), ...eventItems.map((item) => item.task)]);
}

/** @returns {Row} */
function row(name, task, kind, list, height, paint) {
  return { name, task, kind, items: list, height, paint, depth: 1, top: 0 };
}

/** @param {string} task @param {string} kind @param {Item[]} list @returns {Row[]} */
function groupRows(task, kind, list) {
  const groups = [...byLabel(list)].sort((a, b) => totalTime(b[1]) - totalTime(a[1]));
  const few = groups.length <= maxRows + 1 ? groups : groups.slice(0, maxRows);
  const rest = groups.slice(few.length).flatMap(([, members]) => members).sort((a, b) => a.start - b.start);
  if (rest.length) few.push([`${groups.length - maxRows} more`, rest]);
  // A person may have a row of faces and a row of speech.
  const rowTitle = (name) => (kind === "speaker" ? `${name} speaking` : name);
  return few.map(([name, members]) => trackRow(rowTitle(name), task, kind, members));
}

/** @returns {Row} */
function trackRow(name, task, kind, list) {
  const depth = stack(list);
  const height = depth > 4 ? 40 : [26, 26, 30, 36, 42][depth];
  return { ...row(name, task, kind, list, height, paintTracks), depth };
}

/** Assign each item the first line that is free at its start, and return the number of lines. @param {Item[]} list */
function stack(list) {
  const ends = [];
  for (const item of list) {
    const free = ends.findIndex((end) => end <= item.start);
    item.depth = free < 0 ? ends.length : free;
    ends[item.depth] = item.end;
  }
  return Math.max(ends.length, 1);
}

/** @param {string} name */
function title(name) {
  return name.charAt(0).toUpperCase() + name.slice(1);
}

/** Add the names of the rows beside the canvas, and set its height. */
function wireLanes() {
  canvas.style.height = `${rows.reduce((sum, row) => sum + row.height, rulerHeight)}px`;
  byId("row-names").append(make("span", "row-name overview-name", "Overview"), ...rows.map(rowName));
  view.onChange = schedule;
  new ResizeObserver(() => schedule()).observe(byId("rows"));
  wireOverview();
  wirePointer();
  const buttons = { "zoom-in": () => zoom(1.6), "zoom-out": () => zoom(1 / 1.6), "zoom-fit": showAll };
  for (const [id, action] of Object.entries(buttons)) byId(id).addEventListener("click", action);
}

/** @param {Row} row */
function rowName(row, i) {
  const dot = make("i", "dot");
  const grouped = row.paint === paintTracks;
  dot.style.setProperty("--hue", String(["person", "speaker"].includes(row.kind) ? row.items[0].hue : taskHue(row.task)));
  const first = grouped && rows.findIndex((other) => other.task === row.task) === i;
  const name = make("span", `row-name${first ? " first" : ""}`, null, dot, make("b", null, row.name), make("small", null, String(row.items.length)));
  name.style.height = `${row.height}px`;
  name.title = `${row.name}: ${countText(row.items.length, "entry", "entries")}`;
  return name;
}

let scheduled = false;

/** Schedule one repaint for the next animation frame, however often it is requested. */
function schedule() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(paintAll);
}

function paintAll() {
  scheduled = false;
  view.width = canvas.clientWidth || 1;
  fitCanvas(canvas, pen);
  pen.clearRect(0, 0, view.width, canvas.clientHeight);
  paintRuler(pen, canvas.clientHeight);
  for (const row of rows) paintRow(row);
  paintOverview();
  paintAudio();
  placeHead(player.clock.time);
  const range = isZoomed() ? `${spanText(view.start, view.end)} of ${clockText(data.duration, 1)}` : lengthText(data.duration);
  byId("span").textContent = range;
}

/** @param {Row} row */
function paintRow(row) {
  pen.fillStyle = theme.line;
  pen.fillRect(0, row.top, view.width, 1);
  row.paint(row);
  for (const item of [lanesState.hover, overlay.selected]) if (item && row.items.includes(item)) outline(row, item);
}

/** @param {Row} row @param {Item} item */
function outline(row, item) {
  const [x, width] = extent(item);
  const thin = row.paint === paintTracks && row.depth <= 4;
  const step = (row.height - 8) / row.depth;
  const [y, height] = thin ? [row.top + 4 + item.depth * step, Math.min(step - 1.5, 14)] : [row.top + 3, row.height - 6];
  pen.strokeStyle = theme.text;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.roundRect(x - 0.5, y - 0.5, width + 1, height + 1, 4);
  pen.stroke();
}

const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];

/** Paint times along the top, with lines down to the bottom. @param {CanvasRenderingContext2D} context @param {number} height */
function paintRuler(context, height) {
  const wide = ((view.end - view.start) / view.width) * 76;
  const step = steps.find((s) => s >= wide) ?? Math.ceil(wide / 86400) * 86400;
  context.font = "11px Inter, system-ui, sans-serif";
  for (let i = Math.ceil(view.start / step); i * step <= view.end; i++) {
    const x = timeToX(i * step);
    context.fillStyle = theme.line;
    context.fillRect(x, 6, 1, height - 6);
    context.fillStyle = theme.muted;
    context.fillText(clockText(i * step, step < 0.1 ? 2 : step < 1 ? 1 : 0), x + 5, 16);
  }
}

/** Move the playheads to a time. @param {number} time */
function placeHead(time) {
  const x = timeToX(time);
  for (const head of document.querySelectorAll(".playhead")) {
    head.hidden = x < -1 || x > view.width + 1;
    head.style.transform = `translateX(${x}px)`;
  }
  byId("overview-head").style.transform = `translateX(${(time / (data.duration || 1)) * view.width}px)`;
}
