// The data, and the player of one moment.

/** @typedef {{what: string, start: number, end: number, score: number}} Reason times as players count
 * @typedef {{video: number, start: number, end: number, score: number, why: Reason[]}} Clip */

const data = JSON.parse(byId("data").textContent);
const now = { clip: -1 };

/** Write a time as 1:02.5. @param {number} seconds */
function clock(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const [h, m, s] = [Math.floor(tenths / 36000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
  const rest = `${h ? String(m).padStart(2, "0") : m}:${s.toFixed(1).padStart(4, "0")}`;
  return h ? `${h}:${rest}` : rest;
}

/** @param {Clip} clip */
function spanOf(clip) {
  return `${clock(clip.start)} – ${clock(clip.end)}`;
}

/** Make a list of what was found. @param {Clip} clip @param {HTMLElement} list */
function fillWhy(clip, list) {
  list.replaceChildren(...clip.why.map((reason) => make("li", null, null, make("span", null, reason.what), make("span", "dim", clock(reason.start)))));
  return list;
}

/** Play a moment. @param {number} number of the clip */
function play(number) {
  const clip = data.clips[number];
  const video = byId("video");
  const { name, path, film } = data.videos[clip.video];
  now.clip = number;
  byId("player").hidden = false;
  byId("now").textContent = name;
  byId("now-facts").replaceChildren(make("span", null, spanOf(clip)), make("span", null, `score ${clip.score.toFixed(2)}`), make("span", null, path));
  fillWhy(clip, byId("now-why"));
  byId("now-note").textContent = film ? "" : "A browser cannot play this file, or it is no more where it was; the picture is a still.";
  video.hidden = false;
  const picture = data.images[number];
  video.poster = picture ? `data:image/jpeg;base64,${picture}` : "";
  if (film) {
    if (video.getAttribute("src") !== film) video.src = film;
    begin();
  } else {
    video.removeAttribute("src");
    video.load();
  }
  mark();
  byId("player").scrollIntoView({ block: "nearest" });
}

/** Go to the start of the moment, and play. */
function begin() {
  const video = byId("video");
  const { start } = data.clips[now.clip];
  const go = () => {
    video.currentTime = start;
    video.play().catch(() => {});
  };
  if (video.readyState) go();
  else video.addEventListener("loadedmetadata", go, { once: true });
}

function closePlayer() {
  byId("video").pause();
  byId("player").hidden = true;
  now.clip = -1;
  mark();
}

/** @param {number} by 1 or -1 */
function turn(by) {
  const shown = shownClips();
  const at = shown.indexOf(now.clip);
  const next = shown[at + by];
  if (next !== undefined) play(next);
}

function wirePlayer() {
  byId("video").addEventListener("timeupdate", () => {
    const clip = data.clips[now.clip];
    // It stops once at the end; whoever plays on wants to see what comes then.
    if (clip && !byId("video").paused && byId("video").currentTime >= Math.max(clip.end, clip.start + 0.5) && now.stopped !== now.clip) {
      now.stopped = now.clip;
      byId("video").pause();
    }
  });
  byId("before").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("again").addEventListener("click", () => { now.stopped = -1; begin(); });
  byId("close").addEventListener("click", closePlayer);
}
