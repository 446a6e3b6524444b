// Shared by all pages.

/** Find an element. @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/** Create an element; its text is set as text, never parsed as markup.
 * @param {string} tag @param {?string} className @param {?string} text @param {...(Node|null)} children @returns {any} */
function make(tag, className = null, text = null, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== null) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}

/** Format a number of things, in the singular for one. @param {number} n @param {string} singular @param {string} plural */
function countText(n, singular, plural = `${singular}s`) {
  return `${n.toLocaleString("en")} ${n === 1 ? singular : plural}`;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
}

/** @param {?string} name light, dark, or null for the preference of the system */
function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  document.dispatchEvent(new Event("theme"));
}

/** Toggle between light and dark, and store the choice if the browser allows it. */
function toggleTheme() {
  setTheme(isDark() ? "light" : "dark");
  try {
    localStorage.setItem("kinoscope-theme", document.documentElement.dataset.theme);
  } catch {
    // A browser may forbid storage for pages opened from disk.
  }
}

function storedTheme() {
  try {
    return localStorage.getItem("kinoscope-theme");
  } catch {
    return null;
  }
}

/** Apply the stored theme, and connect the theme button. */
function wireTheme() {
  setTheme(storedTheme());
  byId("theme").addEventListener("click", toggleTheme);
}
