// Everything is put together here.

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
});

showFacts();
showMeasures();
showComparison();
showMatrix();
showCalibration();
showClasses();
showClips();

/** For tests and for the curious. */
window.kinoscope = { data, shown, chosenClips };
document.documentElement.dataset.ready = "yes";
