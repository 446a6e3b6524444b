// Mouse and touch on the lanes: click seeks, drag pans, wheel and pinch zoom, hover shows a tooltip.

const lanesState = { hover: null, pointers: new Map(), moved: 0, scrub: false, scrolled: -1000 };

function wirePointer() {
  canvas.addEventListener("pointerdown", pressLanes);
  canvas.addEventListener("pointermove", moveLanes);
  canvas.addEventListener("pointerup", releaseLanes);
  canvas.addEventListener("pointercancel", (event) => releasePointer(event));
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("wheel", onWheel, { passive: false });
  window.addEventListener("scroll", (event) => (lanesState.scrolled = event.timeStamp));
}

/** @param {PointerEvent} event */
function pressLanes(event) {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  lanesState.pointers.set(event.pointerId, event.offsetX);
  lanesState.moved = 0;
  lanesState.scrub = event.offsetY < rulerHeight;
  if (lanesState.scrub) seek(xToTime(event.offsetX));
}

/** @param {PointerEvent} event */
function moveLanes(event) {
  const before = lanesState.pointers.get(event.pointerId);
  if (before === undefined) return showTip(event);
  const others = [...lanesState.pointers].filter(([id]) => id !== event.pointerId).map(([, x]) => x);
  lanesState.pointers.set(event.pointerId, event.offsetX);
  lanesState.moved += Math.abs(event.offsetX - before);
  if (others.length) return pinch(others[0], before, event.offsetX);
  if (lanesState.scrub) return seek(xToTime(event.offsetX));
  if (lanesState.moved > 4) drag(event.offsetX - before);
  return undefined;
}

/** Zoom with two fingers about the one at rest. */
function pinch(still, before, now) {
  const [was, is] = [Math.max(Math.abs(before - still), 8), Math.max(Math.abs(now - still), 8)];
  zoom(is / was, xToTime(still));
}

/** @param {number} pixels */
function drag(pixels) {
  hideTip();
  canvas.classList.add("dragging");
  pan((-pixels / view.width) * (view.end - view.start));
}

/** @param {PointerEvent} event */
function releaseLanes(event) {
  const alone = lanesState.pointers.size === 1;
  if (releasePointer(event) && alone && lanesState.moved <= 4 && !lanesState.scrub) clickLanes(event);
}

function releasePointer(event) {
  canvas.classList.remove("dragging");
  return lanesState.pointers.delete(event.pointerId);
}

/** Seek to the time of a click, and select the item there. */
function clickLanes(event) {
  select(itemAt(event.offsetX, event.offsetY));
  seek(xToTime(event.offsetX));
}

/** Zoom at the pointer with the wheel, pan sideways; when fully zoomed out the page scrolls, and a page that is being
 * scrolled does not stop when the lanes come under the pointer.
 * @param {WheelEvent} event */
function onWheel(event) {
  const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (event.timeStamp - lanesState.scrolled < 250 && !event.ctrlKey) return;
  if (!isZoomed() && (sideways || event.deltaY > 0) && !event.ctrlKey) return;
  event.preventDefault();
  hideTip();
  const turn = event.deltaMode === 1 ? 16 : 1;
  if (sideways) pan((((event.deltaX || event.deltaY) * turn) / view.width) * (view.end - view.start));
  else zoom(Math.exp(-event.deltaY * turn * (event.ctrlKey ? 0.01 : 0.0022)), xToTime(event.offsetX));
}

/** Return the item at a position: the shortest of those under it. @returns {?Item} */
function itemAt(x, y) {
  const row = rows.find((row) => y >= row.top && y < row.top + row.height);
  if (!row) return null;
  const slack = ((view.end - view.start) / view.width) * 3;
  const time = xToTime(x);
  const near = visibleItems(row).filter((item) => item.start - slack <= time && item.end + slack >= time);
  const line = row.depth > 1 && row.depth <= 4 ? Math.floor((y - row.top - 4) / ((row.height - 8) / row.depth)) : null;
  const under = near.filter((item) => line === null || item.depth === line);
  return (under.length ? under : near).sort((a, b) => a.end - a.start - (b.end - b.start))[0] ?? null;
}

/** @param {PointerEvent} event */
function showTip(event) {
  if (event.pointerType === "touch") return;
  const item = itemAt(event.offsetX, event.offsetY);
  if (item !== lanesState.hover) {
    lanesState.hover = item;
    schedule();
  }
  const tip = byId("tip");
  tip.hidden = !item && event.offsetY >= rulerHeight;
  tip.replaceChildren(...(item ? tipParts(item) : [make("span", "dim", clockText(xToTime(event.offsetX)))]));
  placeTip(tip, event);
}

/** @param {Item} item */
function tipParts(item) {
  const url = imageUrl(item.image);
  const image = url ? make("img", `tip-image ${item.kind}`) : null;
  if (image) [image.src, image.alt] = [url, ""];
  const body = [make("b", null, item.label), item.text && make("span", "tip-text", item.text), item.note && make("span", "dim", item.note)];
  const when = make("span", "dim", `${spanText(item.start, item.end)} · ${Math.round(item.score * 100)} %`);
  return [image, make("div", null, null, ...body, when)].filter(Boolean);
}

function placeTip(tip, event) {
  const box = tip.getBoundingClientRect();
  const left = Math.min(event.clientX + 14, document.documentElement.clientWidth - box.width - 8);
  const below = event.clientY + 18 + box.height < window.innerHeight;
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${below ? event.clientY + 18 : event.clientY - box.height - 12}px`;
}

function hideTip() {
  byId("tip").hidden = true;
  if (lanesState.hover) schedule();
  lanesState.hover = null;
}
