// The interval of time that the lanes show.

const minSpan = Math.max(frameTime * 12, 0.2);

const view = { start: 0, end: Math.max(data.duration, 0.001), width: 1, onChange: () => {} };

/** Return the x coordinate of a time in pixels. @param {number} time */
function timeToX(time) {
  return ((time - view.start) / (view.end - view.start)) * view.width;
}

/** @param {number} x */
function xToTime(x) {
  return view.start + (x / view.width) * (view.end - view.start);
}

/** Show an interval, clamped to the video. @param {number} start @param {number} end */
function showSpan(start, end) {
  const full = Math.max(data.duration, 0.001);
  const span = Math.min(Math.max(end - start, Math.min(minSpan, full)), full);
  view.start = Math.min(Math.max(start, 0), full - span);
  view.end = view.start + span;
  view.onChange();
}

/** Zoom about the time `centre`, which keeps its position. @param {number} factor above 1 to see more detail */
function zoom(factor, centre = zoomCentre()) {
  showSpan(centre - (centre - view.start) / factor, centre + (view.end - centre) / factor);
}

/** Return the centre of zooming by buttons and keys: the playhead if it is in view, else the middle. */
function zoomCentre() {
  const time = player.clock.time;
  return time >= view.start && time <= view.end ? time : (view.start + view.end) / 2;
}

/** Move the interval. @param {number} seconds */
function pan(seconds) {
  const span = view.end - view.start;
  const start = Math.min(Math.max(view.start + seconds, 0), Math.max(data.duration - span, 0));
  showSpan(start, start + span);
}

function showAll() {
  showSpan(0, data.duration);
}

function isZoomed() {
  return view.end - view.start < data.duration * 0.999;
}

/** Scroll by a page when the playhead leaves the view. @param {number} time */
function follow(time) {
  if (!isZoomed() || (time >= view.start && time <= view.end)) return;
  const span = view.end - view.start;
  showSpan(time - span * 0.1, time + span * 0.9);
}
