// The overview: the whole video in one strip, with the interval shown by the lanes; drag it or its ends.

const strip = byId("overview");
const stripPen = strip.getContext("2d");

function paintOverview() {
  fitCanvas(strip, stripPen);
  const [width, height] = [strip.clientWidth, strip.clientHeight];
  const whole = (time) => (time / (data.duration || 1)) * width;
  stripPen.clearRect(0, 0, width, height);
  const tracked = items.filter((item) => item.track);
  const many = counts(isSearching() ? items.filter(isMatch) : tracked, width, whole);
  stripPen.globalAlpha = 0.45;
  paintArea({ top: 0, height }, many, Math.max(...many), theme.muted, stripPen);
  stripPen.globalAlpha = 1;
  for (const item of items) if (item.kind === "speech" || item.kind === "event") paintMark(item, whole, height);
  paintWindow(whole, width, height);
}

/** @param {Item} item */
function paintMark(item, whole, height) {
  stripPen.globalAlpha = opacityOf(item);
  stripPen.fillStyle = hueColour(item.hue);
  const y = item.kind === "speech" ? height - 3 : 0;
  stripPen.fillRect(whole(item.start), y, Math.max(whole(item.end) - whole(item.start), 1), 3);
  stripPen.globalAlpha = 1;
}

/** Shade the parts out of view and outline the part in view. */
function paintWindow(whole, width, height) {
  if (!isZoomed()) return;
  const [left, right] = [whole(view.start), Math.max(whole(view.end), whole(view.start) + 3)];
  stripPen.globalAlpha = 0.75;
  stripPen.fillStyle = theme.soft;
  stripPen.fillRect(0, 0, left, height);
  stripPen.fillRect(right, 0, width - right, height);
  stripPen.globalAlpha = 1;
  stripPen.strokeStyle = theme.accent;
  stripPen.lineWidth = 2;
  stripPen.strokeRect(left + 1, 1, Math.max(right - left - 2, 2), height - 2);
}

function wireOverview() {
  let grip = null;
  strip.addEventListener("pointerdown", (event) => {
    strip.setPointerCapture(event.pointerId);
    grip = dragHandler(event.offsetX);
    grip(event.offsetX);
  });
  strip.addEventListener("pointermove", (event) => grip?.(event.offsetX));
  for (const name of ["pointerup", "pointercancel"]) strip.addEventListener(name, () => (grip = null));
}

/** Return what a drag moves: an end of the interval, or the interval; with everything in view, the playhead.
 * @param {number} x @returns {(x: number) => void} */
function dragHandler(x) {
  const time = (at) => (at / view.width) * data.duration;
  const near = (edge) => Math.abs((edge / data.duration) * view.width - x) < 7;
  const { start, end } = view;
  if (!isZoomed()) return (at) => seek(time(at));
  if (near(start)) return (at) => showSpan(Math.min(time(at), end - minSpan), end);
  if (near(end)) return (at) => showSpan(start, Math.max(time(at), start + minSpan));
  const offset = time(x) >= start && time(x) <= end ? time(x) - start : (end - start) / 2;
  return (at) => pan(time(at) - offset - view.start);
}
