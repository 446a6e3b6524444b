// Two clocks with one interface: that of the video, and a timer for reports without a playable video.
// Both call `onFrame(time)` when the frame of that time is on screen, and `onChange()` when playback starts or stops.

class VideoClock {
  /** @param {HTMLVideoElement} video */
  constructor(video) {
    this.video = video;
    this.slack = frameTime / 10; // a seek to the exact start of a frame may land on the previous one
    this.onFrame = (_time) => {};
    this.onChange = () => {};
    for (const name of ["play", "pause", "ratechange", "volumechange", "ended"]) video.addEventListener(name, () => this.onChange());
    if ("requestVideoFrameCallback" in video) this.watchFrames();
    else this.watchClock();
  }

  /** Report the exact time of each frame as it is presented. */
  watchFrames() {
    this.video.requestVideoFrameCallback((_now, frame) => {
      this.onFrame(frame.mediaTime);
      this.watchFrames();
    });
  }

  /** Report the current time, in browsers without requestVideoFrameCallback. */
  watchClock() {
    const reportTime = () => this.onFrame(this.video.currentTime);
    const loop = () => {
      reportTime();
      if (!this.video.paused) requestAnimationFrame(loop);
    };
    this.video.addEventListener("play", loop);
    for (const name of ["seeked", "loadeddata"]) this.video.addEventListener(name, reportTime);
  }

  get time() {
    return this.video.currentTime;
  }

  get paused() {
    return this.video.paused;
  }

  set rate(rate) {
    this.video.playbackRate = rate;
  }

  play() {
    this.video.play().catch(() => this.onChange());
  }

  pause() {
    this.video.pause();
  }

  seek(time) {
    this.video.currentTime = time;
  }
}

class StillClock {
  /** @param {number} duration seconds */
  constructor(duration) {
    this.duration = duration;
    this.slack = 0;
    this.time = 0;
    this.paused = true;
    this.rate = 1;
    this.onFrame = (_time) => {};
    this.onChange = () => {};
  }

  play() {
    if (this.time >= this.duration) this.time = 0;
    this.paused = false;
    this.onChange();
    requestAnimationFrame((now) => this.run(now));
  }

  /** Advance by the time since the last animation frame. @param {number} before ms */
  run(before) {
    requestAnimationFrame((now) => {
      if (this.paused) return;
      this.seek(this.time + ((now - before) / 1000) * this.rate);
      if (this.time >= this.duration) this.pause();
      else this.run(now);
    });
  }

  pause() {
    this.paused = true;
    this.onChange();
  }

  seek(time) {
    this.time = Math.min(Math.max(time, 0), this.duration);
    this.onFrame(this.time);
  }
}
