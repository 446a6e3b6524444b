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
