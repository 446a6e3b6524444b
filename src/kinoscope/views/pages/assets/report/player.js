// The player: controls of the active clock, and the video below the overlay.

const video = byId("video");
const videoClock = new VideoClock(video);
const stillClock = new StillClock(data.duration);
const speeds = [...byId("speed").options].map((option) => Number(option.value));
const player = { clock: stillClock, frame: 0, duration: data.duration, onTime: (_time) => {} };

for (const clock of [videoClock, stillClock]) {
  clock.onFrame = (time) => clock === player.clock && showFrame(time);
  clock.onChange = () => showState();
}

/** Handle a frame of the video that has been presented. @param {number} time */
function showFrame(time) {
  player.frame = time;
  drawOverlay(time);
  showTime();
}

/** Show the time of the clock. */
function showTime() {
  const time = player.clock.time;
  byId("now").textContent = clockText(time);
  const bar = byId("seek");
  bar.value = String(time);
  bar.setAttribute("aria-valuetext", clockText(time, 0));
  bar.style.setProperty("--done", `${(time / (player.duration || 1)) * 100}%`);
  if (player.clock === stillClock) showPoster(time);
  player.onTime(time);
}

/** Show the state of playback and volume. */
function showState() {
  const { paused } = player.clock;
  setButton("play", paused ? "play" : "pause", paused ? "Play" : "Pause");
  const silent = video.muted || video.volume === 0;
  setButton("mute", silent ? "mute" : "audio", silent ? "Unmute" : "Mute");
  byId("player").classList.toggle("playing", !paused);
}

function setButton(id, name, label) {
  byId(id).setAttribute("aria-label", label);
  byId(id).querySelector("use").setAttribute("href", `#i-${name}`);
}

/** Seek to a time. @param {number} time seconds */
function seek(time) {
  player.clock.seek(Math.min(Math.max(time, 0), player.duration));
  showTime();
}

/** Seek to the start of an item: slightly later, so that no rounding shows the previous frame. @param {Item} item */
function seekItem(item) {
  seek(Math.min(item.start + 0.002, Math.max(item.end, 0)));
}

function togglePlay() {
  if (player.clock.paused) player.clock.play();
  else player.clock.pause();
}

/** Step by whole frames, from the one on screen. @param {number} count */
function stepFrames(count) {
  player.clock.pause();
  const frame = Math.min(Math.max(player.frame + count * frameTime, 0), player.duration);
  seek(frame + player.clock.slack);
  player.frame = frame;
}

/** @param {number} speed */
function setSpeed(speed) {
  byId("speed").value = String(speed);
  videoClock.rate = speed;
  stillClock.rate = speed;
}

/** Change the speed by steps of the menu. @param {number} steps */
function changeSpeed(steps) {
  const now = speeds.indexOf(Number(byId("speed").value));
  setSpeed(speeds[Math.min(Math.max(now + steps, 0), speeds.length - 1)]);
}

function toggleMute() {
  video.muted = !video.muted;
}

/** @param {number} volume 0 to 1 */
function setVolume(volume) {
  [video.volume, video.muted] = [volume, false];
  byId("volume").style.setProperty("--done", `${volume * 100}%`);
}

function toggleFull() {
  if (document.fullscreenElement) document.exitFullscreen();
  else byId("player").requestFullscreen?.().catch(() => {});
}

const shots = ofKind("shot").length ? ofKind("shot") : ofKind("scene");

/** Show the image of the shot instead of the video. @param {number} time */
function showPoster(time) {
  const url = imageUrl(currentOf(shots, time)?.image ?? null);
  const poster = byId("poster");
  poster.hidden = !url;
  if (url && poster.src !== url) poster.src = url;
}

/** Play a video from a URL. @param {string} url */
function useVideo(url) {
  player.clock.pause();
  player.clock = videoClock;
  video.src = url;
  video.hidden = false;
  byId("poster").hidden = true;
  byId("missing").hidden = true;
  byId("player").classList.remove("still");
}

/** Continue without a video. @param {string} reason */
function useStills(reason) {
  player.clock = stillClock;
  video.hidden = true;
  byId("missing").hidden = false;
  byId("missing-text").textContent = reason;
  byId("player").classList.add("still");
  showFrame(stillClock.time);
}

function wirePlayer() {
  const aspect = parseRatio(data.source.aspect);
  byId("viewport").style.setProperty("--shape", String((frameWidth * aspect) / frameHeight));
  byId("total").textContent = clockText(data.duration);
  byId("seek").max = String(data.duration);
  byId("seek").addEventListener("input", (event) => seek(Number(event.target.value)));
  byId("viewport").addEventListener("click", (event) => event.target.closest(".missing") || togglePlay());
  byId("viewport").addEventListener("dblclick", toggleFull);
  byId("speed").addEventListener("change", (event) => setSpeed(Number(event.target.value)));
  byId("volume").addEventListener("input", (event) => setVolume(Number(event.target.value)));
  byId("pick").addEventListener("change", (event) => event.target.files[0] && useVideo(URL.createObjectURL(event.target.files[0])));
  const actions = { play: togglePlay, back: () => stepFrames(-1), next: () => stepFrames(1), mute: toggleMute, full: toggleFull };
  for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);
  video.addEventListener("error", () => useStills("The video is missing beside this report, or this browser cannot play it."));
  new ResizeObserver(() => drawOverlay(overlay.time)).observe(byId("viewport"));
  if (data.video) useVideo(data.video);
  else useStills("There is no video beside this report that a browser can play.");
  if (!data.source.has_audio) byId("player").classList.add("silent");
}

/** Parse "4/3" or "1". */
function parseRatio(text) {
  const [over, under] = String(text ?? "1").split("/").map(Number);
  return over > 0 ? over / (under || 1) : 1;
}

const layerNames = { objects: "Objects", faces: "Faces", speech: "Subtitles", actions: "Actions", rules: "Alerts", sync: "Speaker" };

/** Create the buttons that show or hide the overlay of each task. */
function wireLayers() {
  const tasks = [...new Set(items.filter((item) => item.track || ["speech", "event"].includes(item.kind)).map((item) => item.task))];
  const order = Object.keys(layerNames);
  tasks.sort((a, b) => (order.indexOf(a) + 1 || 9) - (order.indexOf(b) + 1 || 9));
  byId("layers").append(...tasks.map(layerButton));
}

/** @param {string} task */
function layerButton(task) {
  const button = make("button", "layer", layerNames[task] ?? task);
  button.type = "button";
  button.dataset.task = task;
  button.style.setProperty("--hue", String(taskHue(task)));
  button.setAttribute("aria-pressed", "true");
  button.addEventListener("click", () => {
    const shown = overlay.hidden.delete(task) || !overlay.hidden.add(task);
    button.setAttribute("aria-pressed", String(shown));
    drawOverlay(overlay.time);
  });
  return button;
}
