// Connects the parts of the page.

wireTheme();
window.addEventListener("keydown", (event) => {
  if (event.key === "t" && !event.ctrlKey && !event.metaKey && !event.altKey) toggleTheme();
});

showMetadata();
showMeasures();
showComparison();
showMatrix();
showCalibration();
showClasses();
showClips();

/** For tests and debugging. */
window.kinoscope = { data, shown, chosenClips };
document.documentElement.dataset.ready = "yes";
