// Everything is put together here.

const dark = matchMedia("(prefers-color-scheme: dark)");

/** Go over from light to dark or back, and keep that for the next page where the browser allows it. */
function toggleTheme() {
  const { dataset } = document.documentElement;
  const isDark = (dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  dataset.theme = isDark ? "light" : "dark";
  try {
    localStorage.setItem("kinoscope-theme", dataset.theme);
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

if (keptTheme()) document.documentElement.dataset.theme = keptTheme();
byId("theme").addEventListener("click", toggleTheme);
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
