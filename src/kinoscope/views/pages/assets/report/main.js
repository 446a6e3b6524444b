// Connects the parts of the page.

function wireSearch() {
  const query = byId("query");
  search.onChange = () => {
    listTab();
    drawOverlay(overlay.time);
    schedule();
  };
  query.addEventListener("input", () => searchFor(query.value));
  query.addEventListener("keydown", (event) => {
    if (event.key === "Enter") goMatch(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") clearSearch();
  });
}

function clearSearch() {
  byId("query").value = "";
  byId("query").blur();
  searchFor("");
}

/** Print in light colours, with the whole of the open list. */
function wirePrint() {
  const before = () => {
    growList(panel.entries.length);
    [document.documentElement.dataset.printed, document.documentElement.dataset.theme] = [currentTheme(), "light"];
    readTheme();
    paintAll();
  };
  const after = () => {
    const { dataset } = document.documentElement;
    if (dataset.printed) dataset.theme = dataset.printed;
    else delete dataset.theme;
    setTheme(null);
  };
  window.addEventListener("beforeprint", before);
  window.addEventListener("afterprint", after);
}

function currentTheme() {
  return document.documentElement.dataset.theme ?? "";
}

player.onTime = (time) => {
  if (!player.clock.paused) follow(time);
  placeHead(time);
  markCurrent(time);
};

showMetadata();
document.addEventListener("theme", () => {
  readTheme();
  schedule();
});
wireTheme();
wireLanes();
wireAudio();
wireLayers();
wirePanels();
wireSearch();
wireKeys();
wirePrint();
wirePlayer();
dark.addEventListener("change", () => setTheme(null));
paintAll();

/** For tests and debugging. */
window.kinoscope = { data, items, rows, view, player, seek, boxesAt, timeToX, hueColour, overlayTime: () => overlay.time };
document.documentElement.dataset.ready = "yes";
