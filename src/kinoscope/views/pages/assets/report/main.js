// Everything is put together here.

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

/** Paper is white: print in light colours, with the whole of the open list. */
function wirePrint() {
  const before = () => {
    growList(panel.entries.length);
    [document.documentElement.dataset.printed, document.documentElement.dataset.theme] = [keptName(), "light"];
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

function keptName() {
  return document.documentElement.dataset.theme ?? "";
}

player.onTime = (time) => {
  if (!player.clock.paused) follow(time);
  placeHead(time);
  markNow(time);
};

showFacts();
document.addEventListener("theme", () => {
  readTheme();
  schedule();
});
wireTheme();
wireLanes();
wireSound();
wireLayers();
wirePanels();
wireSearch();
wireKeys();
wirePrint();
wirePlayer();
dark.addEventListener("change", () => setTheme(null));
paintAll();

/** For tests and for the curious. */
window.kinoscope = { data, items, rows, view, player, seek, boxesAt, timeToX, hueColour, drawn: () => overlay.time };
document.documentElement.dataset.ready = "yes";
