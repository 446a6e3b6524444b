// Items: all events and tracks in one type, so that the lanes, the lists and the search are views of the same list.

/** @typedef {{kind: string, task: string, start: number, end: number, label: string, note: string, text: string,
 *             score: number, hue: number, image: ?string, track: ?Track, words: [number, number, string][],
 *             depth: number, search: string}} Item */

const eventKinds = { shots: "shot", scenes: "scene", speech: "speech", sync: "offset" };
const kindTasks = { shot: "shots", scene: "scenes", object: "objects", person: "faces", speech: "speech", event: "actions" };

/** @type {Item[]} */
const items = [...data.events.map(eventItem), ...data.tracks.map(trackItem)].sort((a, b) => a.start - b.start);
describeShots();
items.forEach((item) => (item.search = [item.task, `${item.label} ${item.note}`, item.text].join("\n").toLowerCase()));

/** @param {Event} event @returns {Item} */
function eventItem(event) {
  if (event.speaker) return speakerItem(event);
  const kind = Object.hasOwn(eventKinds, event.task) ? eventKinds[event.task] : "event";
  const note = (event.top ?? []).slice(1, 3).map(([label]) => label).join(", ") || (event.reason ?? "");
  return {
    kind, task: event.task, start: event.start, end: event.end, label: event.label, note, text: event.text ?? "",
    score: event.score, hue: kind === "scene" ? hueOf(event.label) : taskHue(event.task), image: null, track: null,
    words: event.words ?? [], depth: 0, search: "",
  };
}

/** A person speaks: in the colour of the tracks of the same identity. @param {Event} event @returns {Item} */
function speakerItem({ task, start, end, score, text, speaker }) {
  const hue = trackHue({ identity: text, id: Number(/\d+$/.exec(speaker)?.[0] ?? 0) });
  return { kind: "speaker", task, start, end, label: speaker, note: "speaks", text: "", score, hue, image: null, track: null, words: [], depth: 0, search: "" };
}

/** @param {Track} track @returns {Item} */
function trackItem(track) {
  if (track.task === "sync") return speakingItem(track);
  const kind = track.task === "faces" ? "person" : "object";
  const label = kind === "person" ? track.identity ?? "unnamed" : track.label;
  const note = kind === "person" || !track.identity ? `#${track.id}` : `#${track.id} ${track.identity}`;
  return {
    kind, task: track.task, start: track.start, end: track.end, label, note, text: "", score: track.score,
    hue: trackHue(track), image: `${track.task}-${track.id}`, track, words: [], depth: 0, search: "",
  };
}

/** The face of a speaker: drawn over the video only. @param {Track} track @returns {Item} */
function speakingItem(track) {
  const event = data.events.find((event) => event.speaker && event.track === track.id);
  const item = event ? speakerItem(event) : { label: track.label, note: "", hue: taskHue("sync"), words: [], text: "", image: null, depth: 0, search: "" };
  return { ...item, kind: "speaking", task: track.task, start: track.start, end: track.end, score: track.score, track };
}

/** Set the image and the labels of each shot: those of the scene with the largest overlap. */
function describeShots() {
  const scenes = ofKind("scene");
  scenes.forEach((scene, i) => (scene.image = `scenes-${i}`));
  ofKind("shot").forEach((shot, i) => {
    const scene = bestOverlap(scenes, shot);
    shot.image = imageUrl(`shots-${i}`) ? `shots-${i}` : scene?.image ?? null;
    shot.label = `Shot ${i + 1}`;
    shot.text = scene?.label ?? "";
    shot.note = scene?.note ?? "";
  });
}

/** @param {Item[]} candidates @param {Item} item @returns {?Item} */
function bestOverlap(candidates, item) {
  let [best, maxOverlap] = [null, 0];
  for (const other of candidates) {
    const overlap = Math.min(other.end, item.end) - Math.max(other.start, item.start);
    if (overlap > maxOverlap) [best, maxOverlap] = [other, overlap];
  }
  return best;
}

/** @param {string} kind @returns {Item[]} */
function ofKind(kind) {
  return items.filter((item) => item.kind === kind);
}

/** Return the last item that has started and not ended, among the twenty latest starts; items in time order. @param {Item[]} list @param {number} time */
function currentOf(list, time) {
  const started = countStarted(list, time);
  return list.slice(Math.max(started - 20, 0), started).findLast((item) => item.end > time) ?? null;
}

/** Count the items that have started. @param {Item[]} list in time order @param {number} time */
function countStarted(list, time) {
  let [low, high] = [0, list.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list[middle].start <= time + 0.001) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Group items by label, in the order of the first item of each group. @param {Item[]} list @returns {Map<string, Item[]>} */
function byLabel(list) {
  const groups = new Map();
  for (const item of list) {
    if (!groups.has(item.label)) groups.set(item.label, []);
    groups.get(item.label).push(item);
  }
  return groups;
}

/** Return the total duration of items. @param {Item[]} list */
function totalTime(list) {
  return list.reduce((sum, item) => sum + item.end - item.start, 0);
}
