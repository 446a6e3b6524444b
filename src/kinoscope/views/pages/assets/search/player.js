// The data, and the player of one moment.

/** @typedef {{what: string, start: number, end: number, score: number}} Match times in seconds of playback
 * @typedef {{video: number, start: number, end: number, score: number, why: Match[]}} Clip */

const data = JSON.parse(byId("data").textContent);
const now = { clip: -1 };

/** Format a time as 1:02.5. @param {number} seconds */
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

/** Fill the list of matches of a clip. @param {Clip} clip @param {HTMLElement} list */
function fillMatches(clip, list) {
  list.replaceChildren(...clip.why.map((reason) => make("li", null, null, make("span", null, reason.what), make("span", "dim", clock(reason.start)))));
  return list;
}

/** Play a moment. @param {number} number index of the clip */
function play(number) {
  const clip = data.clips[number];
  const video = byId("video");
  const { name, path, film } = data.videos[clip.video];
  now.clip = number;
  byId("player").hidden = false;
  byId("now").textContent = name;
  byId("now-metadata").replaceChildren(make("span", null, spanOf(clip)), make("span", null, `score ${clip.score.toFixed(2)}`), make("span", null, path));
  fillMatches(clip, byId("now-why"));
  byId("now-note").textContent = film ? "" : "This file is missing, or a browser cannot play it; a still image is shown.";
  video.hidden = false;
  const thumbnail = data.images[number];
  video.poster = thumbnail ? `data:image/jpeg;base64,${thumbnail}` : "";
  if (film) {
    if (video.getAttribute("src") !== film) video.src = film;
    replay();
  } else {
    video.removeAttribute("src");
    video.load();
  }
  mark();
  byId("player").scrollIntoView({ block: "nearest" });
}

/** Play from the start of the moment. */
function replay() {
  const video = byId("video");
  const { start: time } = data.clips[now.clip];
  const start = () => {
    video.currentTime = time;
    video.play().catch(() => {});
  };
  if (video.readyState) start();
  else video.addEventListener("loadedmetadata", start, { once: true });
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
    // Pause once at the end of the moment; playing on then continues the video.
    if (clip && !byId("video").paused && byId("video").currentTime >= Math.max(clip.end, clip.start + 0.5) && now.stopped !== now.clip) {
      now.stopped = now.clip;
      byId("video").pause();
    }
  });
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  byId("replay").addEventListener("click", () => { now.stopped = -1; replay(); });
  byId("close").addEventListener("click", closePlayer);
}
