// One search over everything: all words of the query must stand in an item, in any order.

const search = { words: [], matches: new Set(items), onChange: () => {} };

/** @param {Item} item */
function isMatch(item) {
  return search.matches.has(item);
}

/** Whether anything is searched for. */
function isSearching() {
  return search.words.length > 0;
}

/** @param {string} query */
function searchFor(query) {
  search.words = query.toLowerCase().split(/\s+/).filter(Boolean);
  search.matches = new Set(items.filter((item) => search.words.every((word) => item.search.includes(word))));
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

/** Write text with the words that are searched for marked in it. @param {HTMLElement} element @param {string} text */
function setMarked(element, text) {
  const lower = text.toLowerCase();
  const plain = !isSearching() || lower.length !== text.length;
  element.replaceChildren(...(plain ? [text] : markedParts(text, lower)));
}

/** @param {string} text @param {string} lower the same in small letters @returns {(string|Node)[]} */
function markedParts(text, lower) {
  const [parts, length] = [[], text.length];
  for (let at = 0; at < length; ) {
    const [place, word] = firstWord(lower, at);
    parts.push(text.slice(at, place));
    if (word) parts.push(make("mark", null, text.slice(place, place + word.length)));
    at = place + Math.max(word.length, 1);
  }
  return parts;
}

/** @returns {[number, string]} the place and the word that comes first, or the end and nothing */
function firstWord(lower, from) {
  const found = search.words.map((word) => [lower.indexOf(word, from), word]).filter(([place]) => place >= 0);
  return found.sort((a, b) => a[0] - b[0] || b[1].length - a[1].length)[0] ?? [lower.length, ""];
}
