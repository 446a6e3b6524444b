// One search over everything: what is typed must stand somewhere in an item, in small or capital letters.

const search = { phrase: "", matches: new Set(items), onChange: () => {} };

/** @param {Item} item */
function isMatch(item) {
  return search.matches.has(item);
}

/** Whether anything is searched for. */
function isSearching() {
  return search.phrase !== "";
}

/** @param {string} query */
function searchFor(query) {
  search.phrase = query.toLowerCase().split(/\s+/).filter(Boolean).join(" ");
  search.matches = new Set(items.filter((item) => item.search.includes(search.phrase)));
  byId("hits").textContent = isSearching() ? countText(search.matches.size, "match", "matches") : "";
  search.onChange();
}

/** Give the next match after a time, or the one before it, going round at the ends; null when there is none.
 * @param {number} time @param {number} direction 1 or -1 @returns {?Item} */
function nextMatch(time, direction) {
  const list = items.filter(isMatch);
  if (!list.length || !isSearching()) return null;
  const ahead = (item) => (direction > 0 ? item.start > time + 0.01 : item.start < time - 0.01);
  return (direction > 0 ? list.find(ahead) : list.findLast(ahead)) ?? list.at(direction > 0 ? 0 : -1);
}

/** Write text with what is searched for marked in it. @param {HTMLElement} element @param {string} text */
function setMarked(element, text) {
  const lower = text.toLowerCase();
  const parts = [];
  let from = 0;
  // Where small letters have another length than the text, places in one are not places in the other.
  const find = () => (isSearching() && lower.length === text.length ? lower.indexOf(search.phrase, from) : -1);
  for (let at = find(); at >= 0; at = find()) {
    parts.push(text.slice(from, at), make("mark", null, text.slice(at, (from = at + search.phrase.length))));
  }
  element.replaceChildren(...parts, text.slice(from));
}
