// The data of the page: types, unpacking, and shared text and colour functions.

/** @typedef {{id: number, task: string, label: string, identity: ?string, score: number,
 *             times: Float64Array, boxes: Float32Array, start: number, end: number}} Track times in s, boxes x1 y1 x2 y2 in px */
/** @typedef {{task: string, label: string, score: number, start: number, end: number, text: ?string, reason?: string,
 *             words?: [number, number, string][], top?: [string, number][], speaker?: string, track?: number}} Event */

const data = JSON.parse(byId("data").textContent);
data.tracks.forEach(unpack);

/** Create an icon of the page. @param {string} name */
function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  svg.setAttribute("class", "icon");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Convert time steps in ms to seconds, and tenths of pixels to pixels. */
function unpack(track) {
  let stamp = 0;
  track.times = Float64Array.from(track.times, (step) => (stamp += step) / 1000);
  track.boxes = Float32Array.from(track.boxes, (tenths) => tenths / 10);
  track.start = track.times[0];
  track.end = track.times[track.times.length - 1];
}

/** Duration of a frame in seconds. */
const frameTime = frameDuration(data.source.rate);

function frameDuration(rate) {
  const [count, base] = String(rate ?? "25").split("/").map(Number);
  return count > 0 ? (base || 1) / count : 0.04;
}

/** Count the entries of a sorted list that are not above a value. @param {ArrayLike<number>} list @param {number} value */
function countUpTo(list, value) {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Return a track's box [x1, y1, x2, y2] at a time, interpolated linearly; null outside the track's time.
 * Half a frame of tolerance at the ends, since a player's clock is not exact. @param {Track} track @param {number} time */
function boxAt(track, time) {
  const slack = frameTime / 2;
  if (time < track.start - slack || time > track.end + slack) return null;
  const after = Math.min(Math.max(countUpTo(track.times, time), 1), track.times.length - 1);
  const before = Math.max(after - 1, 0);
  const gap = track.times[after] - track.times[before];
  const share = gap > 0 ? Math.min(Math.max((time - track.times[before]) / gap, 0), 1) : 0;
  const [a, b] = [before * 4, after * 4];
  return [0, 1, 2, 3].map((i) => track.boxes[a + i] + share * (track.boxes[b + i] - track.boxes[a + i]));
}

/** Return the URL of an image, or null. @param {?string} name */
function imageUrl(name) {
  const known = name !== null && Object.hasOwn(data.images, name);
  return known ? `data:image/jpeg;base64,${data.images[name]}` : null;
}

/** Format a time as 0:04.20 or 1:02:03. @param {number} seconds @param {number} digits after the point */
function clockText(seconds, digits = 2) {
  const ticks = Math.max(0, Math.round(seconds * 10 ** digits));
  const whole = Math.floor(ticks / 10 ** digits);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const head = h ? `${h}:${String(m).padStart(2, "0")}` : String(m);
  const tail = digits ? `.${String(ticks % 10 ** digits).padStart(digits, "0")}` : "";
  return `${head}:${String(s).padStart(2, "0")}${tail}`;
}

/** Format an interval. @param {number} start @param {number} end */
function spanText(start, end) {
  return `${clockText(start, 1)} – ${clockText(end, 1)}`;
}

/** Format a duration. @param {number} seconds */
function lengthText(seconds) {
  if (seconds < 59.5) return `${seconds < 9.95 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const [minutes, rest] = [Math.floor(Math.round(seconds) / 60), Math.round(seconds) % 60];
  return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
}



const hues = { shots: 265, scenes: 190, objects: 150, faces: 320, actions: 25, rules: 5, speech: 245, sync: 85 };

/** Return a hue derived from the text. @param {string} text */
function hueOf(text) {
  let hash = 7;
  for (const letter of text) hash = (hash * 31 + letter.codePointAt(0)) >>> 0;
  return hash % 360;
}

/** Return a task's hue. @param {string} task */
function taskHue(task) {
  return hues[task] ?? hueOf(task);
}

/** Return a track's hue: the same in the video, the lanes and the lists; one per identity if the track has one.
 * @param {Track} track */
function trackHue(track) {
  const number = Number(/\d+$/.exec(track.identity ?? "")?.[0] ?? NaN);
  if (track.identity && Number.isNaN(number)) return hueOf(track.identity);
  return Math.round(((track.identity ? number + 4 : track.id) * 137.508 + 100) % 360);
}

/** Return the colour of a hue, at equal lightness for all hues. @param {number} hue @param {number} alpha */
function hueColour(hue, alpha = 1) {
  return `oklch(0.76 0.145 ${hue} / ${alpha})`;
}
