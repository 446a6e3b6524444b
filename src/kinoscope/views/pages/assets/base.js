// What every page uses.

/** Find an element. @param {string} id @returns {any} */
function byId(id) {
  return document.getElementById(id);
}

/** Make an element; its text is set as text, so nothing in it can be markup.
 * @param {string} tag @param {?string} className @param {?string} text @param {...(Node|null)} children @returns {any} */
function make(tag, className = null, text = null, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== null) element.textContent = text;
  element.append(...children.filter(Boolean));
  return element;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
}

/** @param {?string} name light, dark, or null for what the system has */
function setTheme(name) {
  if (name) document.documentElement.dataset.theme = name;
  document.dispatchEvent(new Event("theme"));
}

/** Go over from light to dark or back, and keep that for the next page where the browser allows it. */
function toggleTheme() {
  setTheme(isDark() ? "light" : "dark");
  try {
    localStorage.setItem("kinoscope-theme", document.documentElement.dataset.theme);
  } catch {
    // A browser may forbid pages from disk to keep anything.
  }
}

function keptTheme() {
  try {
    return localStorage.getItem("kinoscope-theme");
  } catch {
    return null;
  }
}

/** Begin in the theme that was kept, and let the button change it. */
function wireTheme() {
  setTheme(keptTheme());
  byId("theme").addEventListener("click", toggleTheme);
}
