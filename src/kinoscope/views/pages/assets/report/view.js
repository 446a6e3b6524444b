// Which stretch of time the lanes show.

const shortest = Math.max(frameTime * 12, 0.2);

const view = { start: 0, end: Math.max(data.duration, 0.001), width: 1, onChange: () => {} };

/** Pixels from the left at which a time stands. @param {number} time */
function timeToX(time) {
  return ((time - view.start) / (view.end - view.start)) * view.width;
}

/** @param {number} x */
function xToTime(x) {
  return view.start + (x / view.width) * (view.end - view.start);
}

/** Show a stretch, kept inside the video. @param {number} start @param {number} end */
function showSpan(start, end) {
  const full = Math.max(data.duration, 0.001);
  const span = Math.min(Math.max(end - start, Math.min(shortest, full)), full);
  view.start = Math.min(Math.max(start, 0), full - span);
  view.end = view.start + span;
  view.onChange();
}

/** Zoom, with the time at `centre` staying where it is. @param {number} factor above 1 to see more detail */
function zoom(factor, centre = zoomCentre()) {
  showSpan(centre - (centre - view.start) / factor, centre + (view.end - centre) / factor);
}

/** Buttons and keys zoom about the playhead where it is in sight, else about the middle. */
function zoomCentre() {
  const time = player.clock.time;
  return time >= view.start && time <= view.end ? time : (view.start + view.end) / 2;
}

/** Move the stretch. @param {number} seconds */
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

/** Turn the page when the playhead runs out of sight. @param {number} time */
function follow(time) {
  if (!isZoomed() || (time >= view.start && time <= view.end)) return;
  const span = view.end - view.start;
  showSpan(time - span * 0.1, time + span * 0.9);
}
