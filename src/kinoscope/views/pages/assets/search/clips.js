// A card for each moment.

const filter = { video: -1 };

/** Return the indices of the clips that pass the filter. */
function shownClips() {
  return data.clips.flatMap((clip, number) => (filter.video < 0 || clip.video === filter.video ? [number] : []));
}

function showClips() {
  const shown = shownClips();
  byId("count").textContent = shown.length === data.clips.length ? "best first" : `${shown.length} of ${data.clips.length}`;
  byId("clips").replaceChildren(...(shown.length ? shown.map(card) : [make("p", "empty", "No matches in the library.")]));
  showFilters();
  mark();
}

/** @param {number} number */
function card(number) {
  const clip = data.clips[number];
  const thumbnail = data.images[number];
  const still = make("div", "still", thumbnail ? null : "no thumbnail");
  if (thumbnail) {
    const image = make("img");
    image.src = `data:image/jpeg;base64,${thumbnail}`;
    image.alt = "";
    still.append(image);
  }
  if (data.videos[clip.video].film) still.append(make("span", "play"));
  still.append(make("span", "badge", spanOf(clip)));
  const bar = make("i");
  bar.style.width = `${100 * clip.score}%`;
  const title = make("div", "title", null, make("b", null, data.videos[clip.video].name), make("span", "dim", clip.score.toFixed(2)));
  const what = make("div", "what", null, title, make("div", "odds", null, bar), fillMatches(clip, make("ul", "why")));
  const button = make("button", "clip", null, still, what);
  button.type = "button";
  button.dataset.clip = String(number);
  button.addEventListener("click", () => play(number));
  return button;
}

function showFilters() {
  const counts = new Map();
  for (const clip of data.clips) counts.set(clip.video, (counts.get(clip.video) ?? 0) + 1);
  if (counts.size < 2) return;
  const chips = [[-1, `all ${data.clips.length}`], ...[...counts].slice(0, 12).map(([video, count]) => [video, `${data.videos[video].name} ${count}`])];
  byId("filters").replaceChildren(...chips.map(([video, title]) => {
    const chip = make("button", "chip", String(title));
    chip.type = "button";
    chip.setAttribute("aria-pressed", String(filter.video === video));
    chip.addEventListener("click", () => {
      filter.video = Number(video);
      showClips();
    });
    return chip;
  }));
}

/** Mark the moment that plays. */
function mark() {
  for (const element of document.querySelectorAll(".clip")) {
    element.setAttribute("aria-current", String(Number(element.dataset.clip) === now.clip));
  }
}
