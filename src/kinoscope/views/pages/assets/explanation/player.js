// The clip: its frames one by one, with a heatmap over them.

const data = JSON.parse(byId("data").textContent);
const count = data.times.length;
const FRAME_MS = count > 1 ? (1000 * (data.times[count - 1] - data.times[0])) / (count - 1) : 1000;

/** What is on screen. */
const now = { index: 0, method: Object.keys(data.heatmaps)[0] ?? null, opacity: 0.75, playing: false };
/** Called whenever that changes. @type {(() => void)[]} */
const watchers = [];
const frames = [];
/** @type {Map<string, HTMLCanvasElement[]>} */
const heatmaps = new Map();

/** @param {string} type @param {string} base64 @returns {Promise<HTMLImageElement>} */
async function loadImage(type, base64) {
  const image = new Image();
  image.src = `data:image/${type};base64,${base64}`;
  await image.decode();
  return image;
}

/** Cut the grey column of a method into one coloured canvas for each frame; 0 is transparent. */
async function colourHeatmaps({ width, height, png }) {
  const column = await loadImage("png", png);
  return Array.from({ length: count }, (_, i) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    pen.drawImage(column, 0, -i * height);
    const pixels = pen.getImageData(0, 0, width, height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const value = pixels.data[at];
      for (const part of [0, 1, 2]) pixels.data[at + part] = data.colormap[3 * value + part];
      pixels.data[at + 3] = 255 * Math.sqrt(value / 255);
    }
    pen.putImageData(pixels, 0, 0);
    return canvas;
  });
}

async function loadAll() {
  frames.push(...(await Promise.all(data.images.map((jpeg) => loadImage("jpeg", jpeg)))));
  for (const [name, column] of Object.entries(data.heatmaps)) heatmaps.set(name, await colourHeatmaps(column));
}

function paint() {
  const screen = byId("screen");
  const pen = screen.getContext("2d");
  pen.globalAlpha = 1;
  pen.drawImage(frames[now.index], 0, 0, screen.width, screen.height);
  const heatmap = heatmaps.get(now.method)?.[now.index];
  if (heatmap && now.opacity > 0) {
    pen.globalAlpha = now.opacity;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(heatmap, 0, 0, screen.width, screen.height);
  }
  byId("clock").textContent = `${seconds(data.times[now.index])} · ${now.index + 1} of ${count}`;
}

function seconds(value) {
  return `${value.toFixed(2)} s`;
}

/** Change what is on screen. @param {Partial<typeof now>} change */
function show(change) {
  Object.assign(now, change);
  now.index = Math.min(count - 1, Math.max(0, now.index));
  for (const watcher of watchers) watcher();
}

/** Seek to the frame nearest to a time in seconds. @param {number} time */
function seek(time) {
  const distances = data.times.map((frameTime) => Math.abs(frameTime - time));
  show({ index: distances.indexOf(Math.min(...distances)) });
}

function play() {
  show({ playing: !now.playing });
  if (!now.playing) return;
  if (now.index === count - 1) show({ index: 0 });
  let last = performance.now();
  const tick = (time) => {
    if (!now.playing) return;
    const steps = Math.floor((time - last) / FRAME_MS);
    if (steps > 0) {
      last += steps * FRAME_MS;
      show({ index: (now.index + steps) % count });
    }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function showMethods() {
  for (const name of [...Object.keys(data.heatmaps), null]) {
    const chip = make("button", "chip", name ?? "no heatmap");
    chip.type = "button";
    chip.addEventListener("click", () => show({ method: name }));
    watchers.push(() => chip.setAttribute("aria-pressed", String(now.method === name)));
    byId("methods").append(chip);
  }
}

function showPlayer() {
  const [width, height] = data.frame_size;
  // Small frames are enlarged here, so that heatmaps are smooth over them.
  const scale = Math.max(1, Math.round(640 / width));
  [byId("screen").width, byId("screen").height] = [scale * width, scale * height];
  byId("screen").addEventListener("click", play);
  byId("play").addEventListener("click", play);
  byId("opacity").addEventListener("input", (event) => show({ opacity: event.target.value / 100 }));
  watchers.push(paint, () => {
    byId("play").setAttribute("aria-label", now.playing ? "Pause" : "Play");
    byId("play-icon").setAttribute("d", now.playing ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
  });
  showMethods();
}
