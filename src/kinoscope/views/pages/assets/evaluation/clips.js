// The clips, highest loss first.

const PAGE = 48;
const shown = { kind: "wrong", only: null, title: "", count: PAGE };
const KINDS = { all: "all", wrong: "misclassified", right: "correct" };

function chosenClips() {
  if (shown.only) return scores.clips.filter((clip) => shown.only.has(clip.path));
  return scores.clips.filter((clip) => shown.kind === "all" || clip.right === (shown.kind === "right"));
}

/** Show only some clips and scroll to them, or all clips without paths. @param {?string} title @param {?Set<string>} paths */
function showOnly(title, paths = null) {
  Object.assign(shown, { only: paths, title: title ?? "", count: PAGE });
  fillClips();
  if (paths) byId("clips").scrollIntoView({ behavior: "smooth", block: "start" });
}

function showClips() {
  if (!scores.clips.some((clip) => !clip.right)) shown.kind = "all";
  byId("more").addEventListener("click", () => {
    shown.count += PAGE;
    fillClips();
  });
  fillClips();
}

function fillClips() {
  const clips = chosenClips();
  fillFilters();
  byId("clips-count").textContent = `${clips.length} of ${scores.clips.length}, highest loss first`;
  byId("more").hidden = clips.length <= shown.count;
  const cards = clips.slice(0, shown.count).map(clipCard);
  byId("clip-list").replaceChildren(...(cards.length ? cards : [make("p", "empty", "No such clips.")]));
}

function fillFilters() {
  const chips = Object.entries(KINDS).map(([kind, title]) => chip(title, !shown.only && shown.kind === kind, () => {
    releaseCells();
    shown.kind = kind;
    showOnly(null);
  }));
  if (shown.only) chips.unshift(chip(`${shown.title} ×`, true, () => {
    releaseCells();
    showOnly(null);
  }));
  byId("filters").replaceChildren(...chips);
}

function chip(title, pressed, action) {
  const button = make("button", "chip", title);
  button.type = "button";
  button.setAttribute("aria-pressed", String(pressed));
  button.addEventListener("click", action);
  return button;
}

/** @param {Clip} clip */
function clipCard(clip) {
  const frames = data.images[clip.path];
  const film = make("div", frames ? "film moves" : "film", frames ? null : "no thumbnail");
  film.hidden = !Object.keys(data.images).length;
  if (frames) film.style.backgroundImage = `url("data:image/jpeg;base64,${frames}")`;
  const [best] = clip.top;
  const path = make("div", "path", null, make("bdi", null, shortPath(clip.path)));
  path.title = clip.path;
  const prediction = make("div", "prediction", null, make("b", null, clip.predicted.join(", ") || "nothing"));
  prediction.append(make("span", "dim", clip.right ? "correct" : `actual ${clip.actual.join(", ") || "nothing"}`));
  const bar = make("i");
  bar.style.width = `${100 * best[1]}%`;
  const odds = make("div", "odds", null, bar);
  odds.title = clip.top.map(([name, share]) => `${name} ${percent(share)}`).join("\n");
  const details = make("div", "dim", `confidence ${percent(best[1])}, loss ${clip.loss.toFixed(2)}`);
  const card = make("article", `clip ${clip.right ? "right" : "wrong"}`, null, film, make("div", "what", null, path, prediction, odds, details));
  card.tabIndex = 0;
  return card;
}

/** Return the last two parts of a path: the class folder and the file. @param {string} path */
function shortPath(path) {
  return path.split(/[\\/]/).slice(-2).join("/");
}
