// Keyboard shortcuts: one table for the handlers and the help.

/** @type {[string[], string, string, (event: KeyboardEvent) => void][]} keys, label, description, action */
const keys = [
  [[" ", "k"], "Space", "Play or pause", togglePlay],
  [["ArrowLeft"], "←", "5 seconds back (with Shift 1 second)", (event) => jump(event.shiftKey ? -1 : -5)],
  [["ArrowRight"], "→", "5 seconds forward (with Shift 1 second)", (event) => jump(event.shiftKey ? 1 : 5)],
  [[","], ",", "Previous frame", () => stepFrames(-1)],
  [["."], ".", "Next frame", () => stepFrames(1)],
  [["ArrowUp"], "↑", "Previous shot", () => goShot(-1)],
  [["ArrowDown"], "↓", "Next shot", () => goShot(1)],
  [["Home"], "Home", "To the start", () => seek(0)],
  [["End"], "End", "To the end", () => seek(player.duration)],
  [["<"], "<", "Slower", () => changeSpeed(-1)],
  [[">"], ">", "Faster", () => changeSpeed(1)],
  [["m"], "m", "Mute or unmute", toggleMute],
  [["f"], "f", "Full screen", toggleFull],
  [["+", "="], "+", "Zoom in", () => zoom(1.6)],
  [["-"], "-", "Zoom out", () => zoom(1 / 1.6)],
  [["0"], "0", "Show all", showAll],
  [["1", "2", "3", "4", "5"], "1 – 5", "Shots, objects, people, transcript, events", (event) => openTab(tabs[Number(event.key) - 1])],
  [["/"], "/", "Search", () => byId("query").focus()],
  [["n"], "n", "Next match", () => goMatch(1)],
  [["N"], "N", "Previous match", () => goMatch(-1)],
  [["t"], "t", "Light or dark theme", toggleTheme],
  [["?"], "?", "This help", () => toggleHelp()],
];

/** @param {number} seconds */
function jump(seconds) {
  seek(player.clock.time + seconds);
}

/** @param {number} step */
function goShot(step) {
  const now = player.clock.time;
  const next = step > 0 ? shots.find((shot) => shot.start > now + 0.01) : shots.findLast((shot) => shot.start < now - 0.3);
  if (next) seekItem(next);
}

/** @param {number} direction */
function goMatch(direction) {
  const item = nextMatch(player.clock.time, direction);
  if (!item) return;
  select(item);
  seekItem(item);
}

function wireKeys() {
  document.addEventListener("keydown", pressKey);
  document.addEventListener("click", releaseFocus);
  const help = byId("help");
  byId("help-keys").append(...keys.map(([, shown, what]) => make("div", null, null, make("dt", null, null, make("kbd", null, shown)), make("dd", null, what))));
  byId("help-open").addEventListener("click", toggleHelp);
  byId("help-close").addEventListener("click", toggleHelp);
  help.addEventListener("click", (event) => event.target === help && help.close());
}

function toggleHelp() {
  const help = byId("help");
  if (help.open) help.close();
  else help.showModal();
}

/** Run the action of a key, unless the focused element handles it. @param {KeyboardEvent} event */
function pressKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isHandledElsewhere(event)) return;
  if (byId("help").open && event.key !== "?") return;
  const entry = keys.find(([names]) => names.includes(event.key));
  if (!entry) return;
  event.preventDefault();
  entry[3](event);
}

/** Release the focus of a button after a click, so that space plays; a button reached by tab keeps it. */
function releaseFocus(event) {
  if (event.detail > 0) event.target.closest?.("button")?.blur();
}

/** Return whether the focused element handles a key: a field, a button with space or enter, a list with scroll keys. */
function isHandledElsewhere(event) {
  const { target, key } = event;
  if (target.matches?.("input[type=search], select")) return true;
  if (target === byId("volume")) return key.startsWith("Arrow");
  const presses = target.matches?.("button, summary, label, a");
  const scrolls = target === body && ["ArrowUp", "ArrowDown", "Home", "End"].includes(key);
  return (presses && (key === " " || key === "Enter")) || scrolls;
}
