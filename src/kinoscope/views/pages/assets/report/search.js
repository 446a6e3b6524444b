// Search over all items: case-insensitive substring match.

const search = { phrase: "", matches: new Set(items), onChange: () => {} };

/** @param {Item} item */
function isMatch(item) {
  return search.matches.has(item);
}

/** Return whether a search is active. */
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

/** Return the next or the previous match from a time, wrapping around at the ends; null if there is none.
 * @param {number} time @param {number} direction 1 or -1 @returns {?Item} */
function nextMatch(time, direction) {
  const list = items.filter(isMatch);
  if (!list.length || !isSearching()) return null;
  const ahead = (item) => (direction > 0 ? item.start > time + 0.01 : item.start < time - 0.01);
  return (direction > 0 ? list.find(ahead) : list.findLast(ahead)) ?? list.at(direction > 0 ? 0 : -1);
}

/** Set text with the search phrase highlighted in it. @param {HTMLElement} element @param {string} text */
function setMarked(element, text) {
  const lower = text.toLowerCase();
  const parts = [];
  let from = 0;
  // If lower case changes the length of the text, positions in one are not positions in the other.
  const find = () => (isSearching() && lower.length === text.length ? lower.indexOf(search.phrase, from) : -1);
  for (let at = find(); at >= 0; at = find()) {
    parts.push(text.slice(from, at), make("mark", null, text.slice(at, (from = at + search.phrase.length))));
  }
  element.replaceChildren(...parts, text.slice(from));
}
