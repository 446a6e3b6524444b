// The lists beside the player: shots, objects, people, transcript, events. Long lists are extended on scrolling.

/** @typedef {{id: string, name: string, task: string, items: Item[], card: (entry: any) => HTMLElement, people?: boolean}} Tab */

const eventList = items.filter((item) => ["event", "offset", "speaker"].includes(item.kind));

/** @type {Tab[]} */
const tabs = [
  { id: "shots", name: "Shots", task: shots[0]?.task ?? "shots", items: shots, card: shotCard },
  { id: "objects", name: "Objects", task: "objects", items: ofKind("object"), card: objectCard },
  { id: "people", name: "People", task: "faces", items: ofKind("person"), card: personCard, people: true },
  { id: "transcript", name: "Transcript", task: "speech", items: sentences, card: sentenceCard },
  { id: "events", name: "Events", task: "actions", items: eventList, card: eventCard },
];
const chunk = 60;
const body = byId("panel-body");
/** @type {{tab: Tab, entries: any[], shown: {items: Item[], element: HTMLElement}[], sentence: ?HTMLElement, quarter: number}} */
const panel = { tab: tabs[0], entries: [], shown: [], sentence: null, quarter: -1 };
const more = make("div", "more");

function wirePanels() {
  byId("tabs").append(...tabs.map(tabButton));
  byId("tabs").addEventListener("keydown", moveTab);
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && growList(), { root: null, rootMargin: "300px" }).observe(more);
  body.addEventListener("click", clickCard);
  openTab(tabs.find((tab) => tab.items.length) ?? tabs[0]);
}

/** @param {Tab} tab */
function tabButton(tab) {
  const button = make("button", "tab", null, make("span", null, tab.name), make("small"));
  Object.assign(button, { id: `tab-${tab.id}`, type: "button" });
  button.setAttribute("role", "tab");
  button.setAttribute("aria-controls", "panel-body");
  button.addEventListener("click", () => openTab(tab));
  return button;
}

/** Change the tab with the left and right keys. @param {KeyboardEvent} event */
function moveTab(event) {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step) return;
  event.preventDefault();
  event.stopPropagation();
  openTab(tabs[(tabs.indexOf(panel.tab) + step + tabs.length) % tabs.length]);
  byId(`tab-${panel.tab.id}`).focus();
}

/** @param {Tab} tab */
function openTab(tab) {
  panel.tab = tab;
  for (const other of tabs) {
    const button = byId(`tab-${other.id}`);
    button.setAttribute("aria-selected", String(other === tab));
    button.tabIndex = other === tab ? 0 : -1;
  }
  body.setAttribute("aria-labelledby", `tab-${tab.id}`);
  listTab();
}

/** Fill the list from the start with the items that match the search. */
function listTab() {
  for (const tab of tabs) byId(`tab-${tab.id}`).lastChild.textContent = String(entriesOf(tab).length);
  const { tab } = panel;
  Object.assign(panel, { entries: entriesOf(tab), shown: [], sentence: null, quarter: -1 });
  body.className = `panel-body list-${tab.id}`;
  body.scrollTop = 0;
  body.replaceChildren(...(panel.entries.length ? [more] : [make("p", "empty", emptyText(tab))]));
  growList();
}

/** Return the entries of a tab: people grouped by identity, all others one by one. @param {Tab} tab */
function entriesOf(tab) {
  const matches = tab.items.filter(isMatch);
  return tab.people ? [...byLabel(matches)].sort((a, b) => totalTime(b[1]) - totalTime(a[1])) : matches;
}

/** Return why a list is empty. @param {Tab} tab */
function emptyText(tab) {
  if (tab.items.length) return "Nothing here matches the search.";
  const report = data.tasks[tab.task];
  if (!report) return `${tab.task} did not run, so there is nothing to list here.`;
  if (report.status !== "ok") return `${tab.task} ${statusText(report.status)}${report.reason ? `: ${report.reason}` : ""}.`;
  return `${tab.task} ran without results.`;
}

function growList(count = chunk) {
  const from = panel.shown.length;
  for (const entry of panel.entries.slice(from, from + count)) {
    const element = panel.tab.card(entry);
    panel.shown.push({ items: panel.tab.people ? entry[1] : [entry], element });
    more.before(element);
  }
  if (panel.shown.length === panel.entries.length) more.remove();
  markCurrent(player.clock.time, true);
}

const cardItems = new WeakMap();

/** @param {MouseEvent} event */
function clickCard(event) {
  const item = cardItems.get(event.target.closest("[data-item]"));
  if (!item) return;
  select(item);
  seekItem(item);
}

/** Create a button that seeks to an item. @param {Item} item */
function itemButton(item, className, ...children) {
  const button = make("button", className, null, ...children);
  button.type = "button";
  button.dataset.item = "";
  button.style.setProperty("--hue", String(item.hue));
  cardItems.set(button, item);
  return button;
}

/** @param {Item} item */
function imageElement(item, className) {
  const url = imageUrl(item.image);
  if (!url && item.kind === "shot" && data.video) return frameElement((item.start + item.end) / 2, className);
  if (!url) return make("span", `${className} blank`);
  const image = make("img", className);
  Object.assign(image, { src: url, alt: "", loading: "lazy", decoding: "async" });
  return image;
}

/** Create an element that shows a frame of the video, for a shot without an image. @param {number} time */
function frameElement(time, className) {
  const frame = make("video", className);
  Object.assign(frame, { src: `${data.video}#t=${time.toFixed(3)}`, muted: true, preload: "metadata", playsInline: true });
  frame.setAttribute("aria-hidden", "true");
  return frame;
}

/** @param {string} className @param {string} text */
function marked(tag, className, text) {
  const element = make(tag, className);
  setMarked(element, text);
  return element;
}

/** Create a bar that shows when items occur in the video. @param {Item[]} list */
function strand(list) {
  const line = make("span", "strand");
  const length = data.duration || 1;
  for (const item of list.slice(0, 200)) {
    const mark = line.appendChild(make("i"));
    mark.style.left = `${(item.start / length) * 100}%`;
    mark.style.width = `${((item.end - item.start) / length) * 100}%`;
  }
  return line;
}

function shotCard(item) {
  const names = make("span", "names", null, marked("b", null, item.text || item.label), item.note ? marked("span", "dim", item.note) : null);
  const when = make("span", "when", clockText(item.start, 1));
  return itemButton(item, "shot", make("span", "frame", null, imageElement(item, "thumb"), when), names);
}

function objectCard(item) {
  const head = make("span", "line", null, marked("b", null, item.label), marked("span", "dim", item.note), make("span", "grow"), make("span", "dim", lengthText(item.end - item.start)));
  const foot = make("span", "dim", `${spanText(item.start, item.end)} · ${Math.round(item.score * 100)} %`);
  return itemButton(item, "object", imageElement(item, "crop"), make("span", "body", null, head, foot, strand([item])));
}

/** @param {[string, Item[]]} group */
function personCard([name, list]) {
  const longest = list.reduce((a, b) => (b.end - b.start > a.end - a.start ? b : a));
  const summary = `${countText(list.length, "appearance")} · ${lengthText(totalTime(list))} in total`;
  const head = make("span", "body", null, marked("b", null, name), make("span", "dim", summary), strand(list));
  const spans = list.slice(0, 12).map((item) => itemButton(item, "span", imageElement(item, "mini"), make("span", null, spanText(item.start, item.end))));
  const rest = list.length > 12 ? [make("span", "dim", `and ${list.length - 12} more`)] : [];
  return make("div", "person", null, itemButton(longest, "identity", imageElement(longest, "face"), head), make("div", "spans", null, ...spans, ...rest));
}

function sentenceCard(item) {
  return itemButton(item, "sentence", make("span", "when", clockText(item.start, 0)), marked("span", item.text ? "words" : "words dim", item.text || item.note));
}

function eventCard(item) {
  const note = item.kind === "speaker" ? marked("span", "dim", item.note) : null;
  const head = make("span", "line", null, marked("b", null, item.label), note, make("span", "grow"), item.score ? make("span", "dim", `${Math.round(item.score * 100)} %`) : null);
  const foot = make("span", "dim", `${item.task} · ${spanText(item.start, item.end)}`);
  return itemButton(item, "event", make("span", "body", null, head, item.text ? marked("span", null, item.text) : null, foot, strand([item])));
}

/** Mark the current entries of the list, four times a second, and the words of a sentence as they are spoken. */
function markCurrent(time, force = false) {
  const quarter = Math.floor(time * 4);
  if (force || quarter !== panel.quarter) {
    panel.quarter = quarter;
    for (const { items, element } of panel.shown) element.classList.toggle("now", items.some((item) => item.start <= time + 0.001 && item.end > time));
  }
  if (panel.tab.id === "transcript") markWords(time);
}

/** @param {number} time */
function markWords(time) {
  const item = currentOf(sentences, time);
  const index = item ? panel.entries.indexOf(item) : -1;
  if (index >= panel.shown.length) growList(index + 1 - panel.shown.length + chunk);
  const element = panel.shown[index]?.element ?? null;
  if (element !== panel.sentence) showWords(element, item);
  const words = element ? [...element.querySelectorAll(".word")] : [];
  words.forEach((word, i) => word.classList.toggle("said", item.words[i][0] <= time));
}

/** Split the current sentence into its words, and restore the previous one. */
function showWords(element, item) {
  const before = cardItems.get(panel.sentence);
  if (before) setMarked(panel.sentence.querySelector(".words"), before.text || before.note);
  panel.sentence = element;
  if (!element) return;
  const words = item.words.map(([, , word]) => make("span", "word", word.trim()));
  if (words.length && !isSearching()) element.querySelector(".words").replaceChildren(...words.flatMap((word) => [word, " "]));
  if (!player.clock.paused) reveal(element);
}

/** Scroll the list, not the page, to an entry. @param {HTMLElement} element */
function reveal(element) {
  const [list, entry] = [body.getBoundingClientRect(), element.getBoundingClientRect()];
  if (entry.top >= list.top && entry.bottom <= list.bottom) return;
  body.scrollBy({ top: entry.top - list.top - list.height / 3, behavior: reducedMotion.matches ? "auto" : "smooth" });
}

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

/** Select an item: outlined in the lanes, emphasized in the video, scrolled into view in its list. @param {?Item} item */
function select(item) {
  overlay.selected = item;
  const tab = tabs.find((tab) => item && tab.items.includes(item));
  if (tab && tab !== panel.tab) openTab(tab);
  const index = panel.entries.findIndex((entry) => (panel.tab.people ? entry[1].includes(item) : entry === item));
  if (index >= panel.shown.length) growList(index + 1 - panel.shown.length + chunk);
  panel.shown.forEach(({ element }, i) => element.classList.toggle("selected", i === index));
  if (index >= 0) reveal(panel.shown[index].element);
  drawOverlay(overlay.time);
  schedule();
}
