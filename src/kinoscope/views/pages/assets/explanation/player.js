// The clip: its pictures one by one, with heat over them.

const data = JSON.parse(byId("data").textContent);
const count = data.times.length;
const PACE = count > 1 ? (1000 * (data.times[count - 1] - data.times[0])) / (count - 1) : 1000;

/** What is on screen. */
const now = { index: 0, method: Object.keys(data.heat)[0] ?? null, opacity: 0.75, playing: false, drawn: "" };
/** Called whenever that changes. @type {(() => void)[]} */
const watchers = [];
const pictures = [];
/** @type {Map<string, HTMLCanvasElement[]>} */
const heat = new Map();

/** @param {string} type @param {string} base64 @returns {Promise<HTMLImageElement>} */
async function picture(type, base64) {
  const image = new Image();
  image.src = `data:image/${type};base64,${base64}`;
  await image.decode();
  return image;
}

/** Cut the grey column of a method into one coloured canvas for each picture; what is cold is clear. */
async function colour({ width, height, png }) {
  const column = await picture("png", png);
  return Array.from({ length: count }, (_, i) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    pen.drawImage(column, 0, -i * height);
    const pixels = pen.getImageData(0, 0, width, height);
    for (let at = 0; at < pixels.data.length; at += 4) {
      const value = pixels.data[at];
      for (const part of [0, 1, 2]) pixels.data[at + part] = data.palette[3 * value + part];
      pixels.data[at + 3] = 255 * Math.sqrt(value / 255);
    }
    pen.putImageData(pixels, 0, 0);
    return canvas;
  });
}

async function loadAll() {
  pictures.push(...(await Promise.all(data.images.map((one) => picture("jpeg", one)))));
  for (const [name, column] of Object.entries(data.heat)) heat.set(name, await colour(column));
}

function paint() {
  const screen = byId("screen");
  const pen = screen.getContext("2d");
  pen.globalAlpha = 1;
  pen.drawImage(pictures[now.index], 0, 0, screen.width, screen.height);
  const over = heat.get(now.method)?.[now.index];
  if (over && now.opacity > 0) {
    pen.globalAlpha = now.opacity;
    pen.imageSmoothingQuality = "high";
    pen.drawImage(over, 0, 0, screen.width, screen.height);
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

/** Go to the picture nearest to a time in seconds. @param {number} time */
function seek(time) {
  const far = data.times.map((one) => Math.abs(one - time));
  show({ index: far.indexOf(Math.min(...far)) });
}

function play() {
  show({ playing: !now.playing });
  if (!now.playing) return;
  if (now.index === count - 1) show({ index: 0 });
  let last = performance.now();
  const tick = (time) => {
    if (!now.playing) return;
    const steps = Math.floor((time - last) / PACE);
    if (steps > 0) {
      last += steps * PACE;
      show({ index: (now.index + steps) % count });
    }
    requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}

function showMethods() {
  for (const name of [...Object.keys(data.heat), null]) {
    const chip = make("button", "chip", name ?? "no heat");
    chip.type = "button";
    chip.addEventListener("click", () => show({ method: name }));
    watchers.push(() => chip.setAttribute("aria-pressed", String(now.method === name)));
    byId("methods").append(chip);
  }
}

function showPlayer() {
  const [width, height] = data.heat_size;
  // Small pictures are enlarged here, so that heat is smooth over them.
  const times = Math.max(1, Math.round(640 / width));
  [byId("screen").width, byId("screen").height] = [times * width, times * height];
  byId("screen").addEventListener("click", play);
  byId("play").addEventListener("click", play);
  byId("opacity").addEventListener("input", (event) => show({ opacity: event.target.value / 100 }));
  watchers.push(paint, () => {
    byId("play").setAttribute("aria-label", now.playing ? "Pause" : "Play");
    byId("play-icon").setAttribute("d", now.playing ? "M7 5h4v14H7zM13 5h4v14h-4z" : "M8 5v14l11-7z");
  });
  showMethods();
}
