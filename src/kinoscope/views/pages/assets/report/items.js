// Items: everything found, in one shape, so that the lanes, the lists and the search are views of the same list.

/** @typedef {{kind: string, task: string, start: number, end: number, label: string, note: string, text: string,
 *             score: number, hue: number, picture: ?string, track: ?Track, words: [number, number, string][],
 *             depth: number, search: string}} Item */

const eventKinds = { shots: "shot", scenes: "scene", speech: "speech", sync: "offset" };
const kindTasks = { shot: "shots", scene: "scenes", object: "objects", person: "faces", speech: "speech", event: "actions" };

/** @type {Item[]} */
const items = [...data.events.map(eventItem), ...data.tracks.map(trackItem)].sort((a, b) => a.start - b.start);
describeShots();
items.forEach((item) => (item.search = [item.task, `${item.label} ${item.note}`, item.text].join("\n").toLowerCase()));

/** @param {Event} event @returns {Item} */
function eventItem(event) {
  if (event.who) return speakerItem(event);
  const kind = Object.hasOwn(eventKinds, event.task) ? eventKinds[event.task] : "event";
  const note = (event.top ?? []).slice(1, 3).map(([label]) => label).join(", ") || (event.reason ?? "");
  return {
    kind, task: event.task, start: event.start, end: event.end, label: event.label, note, text: event.text ?? "",
    score: event.score, hue: kind === "scene" ? hueOf(event.label) : taskHue(event.task), picture: null, track: null,
    words: event.words ?? [], depth: 0, search: "",
  };
}

/** Somebody speaks: in the colour that a track of the same person has. @param {Event} event @returns {Item} */
function speakerItem({ task, start, end, score, text, who }) {
  const hue = trackHue({ identity: text, id: Number(/\d+$/.exec(who)?.[0] ?? 0) });
  return { kind: "speaker", task, start, end, label: who, note: "speaks", text: "", score, hue, picture: null, track: null, words: [], depth: 0, search: "" };
}

/** @param {Track} track @returns {Item} */
function trackItem(track) {
  if (track.task === "sync") return speakingItem(track);
  const kind = track.task === "faces" ? "person" : "object";
  const label = kind === "person" ? track.identity ?? "unnamed" : track.label;
  const note = kind === "person" || !track.identity ? `#${track.id}` : `#${track.id} ${track.identity}`;
  return {
    kind, task: track.task, start: track.start, end: track.end, label, note, text: "", score: track.score,
    hue: trackHue(track), picture: `${track.task}-${track.id}`, track, words: [], depth: 0, search: "",
  };
}

/** Where the face is that speaks: drawn over the picture only. @param {Track} track @returns {Item} */
function speakingItem(track) {
  const event = data.events.find((event) => event.who && event.track === track.id);
  const item = event ? speakerItem(event) : { label: track.label, note: "", hue: taskHue("sync"), words: [], text: "", picture: null, depth: 0, search: "" };
  return { ...item, kind: "speaking", task: track.task, start: track.start, end: track.end, score: track.score, track };
}

/** Give each shot the picture and the labels of the scene that it shares the most time with. */
function describeShots() {
  const scenes = ofKind("scene");
  scenes.forEach((scene, i) => (scene.picture = `scenes-${i}`));
  ofKind("shot").forEach((shot, i) => {
    const scene = longestOverlap(scenes, shot);
    shot.picture = pictureUrl(`shots-${i}`) ? `shots-${i}` : scene?.picture ?? null;
    shot.label = `Shot ${i + 1}`;
    shot.text = scene?.label ?? "";
    shot.note = scene?.note ?? "";
  });
}

/** @param {Item[]} among @param {Item} item @returns {?Item} */
function longestOverlap(among, item) {
  let [best, longest] = [null, 0];
  for (const other of among) {
    const shared = Math.min(other.end, item.end) - Math.max(other.start, item.start);
    if (shared > longest) [best, longest] = [other, shared];
  }
  return best;
}

/** @param {string} kind @returns {Item[]} */
function ofKind(kind) {
  return items.filter((item) => item.kind === kind);
}

/** Give the last item that has begun and not ended, of the twenty that began last; items in time order. @param {Item[]} list @param {number} time */
function currentOf(list, time) {
  const started = countStarted(list, time);
  return list.slice(Math.max(started - 20, 0), started).findLast((item) => item.end > time) ?? null;
}

/** Count the items that have begun. @param {Item[]} list in time order @param {number} time */
function countStarted(list, time) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].start <= time + 0.001) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Group items, in the order in which the groups first appear. @param {Item[]} list @returns {Map<string, Item[]>} */
function byLabel(list) {
  const groups = new Map();
  for (const item of list) {
    if (!groups.has(item.label)) groups.set(item.label, []);
    groups.get(item.label).push(item);
  }
  return groups;
}

/** Add up how long items last. @param {Item[]} list */
function totalTime(list) {
  return list.reduce((sum, item) => sum + item.end - item.start, 0);
}
