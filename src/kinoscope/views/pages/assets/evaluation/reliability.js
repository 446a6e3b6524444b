// How often predictions come true over how sure they are.

const SIZE = { width: 420, height: 360, left: 40, right: 12, top: 10, plot: 250, gap: 14, counts: 48 };

/** @param {string} tag @param {Object<string, string|number>} attributes @param {?string} text */
function draw(tag, attributes, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

function showCalibration() {
  const { temperature, before, after } = scores.calibration;
  const scaled = temperature !== 1;
  showDiagram(scores.calibration.bins_after);
  if (scaled) {
    for (const [label, bins] of [["with temperature", "bins_after"], ["without", "bins_before"]]) {
      const chip = make("button", "chip", label);
      chip.type = "button";
      chip.setAttribute("aria-pressed", String(bins === "bins_after"));
      chip.addEventListener("click", () => {
        for (const other of byId("which").children) other.setAttribute("aria-pressed", String(other === chip));
        showDiagram(scores.calibration[bins]);
      });
      byId("which").append(chip);
    }
  }
  const heat = scaled ? `, and ${percent(after)} once logits are divided by the model's temperature of ${temperature.toPrecision(3)}` : "";
  byId("calibration-text").textContent = before === null ? "" : `Expected calibration error ${percent(before)}${heat}. Dots on the dashed line mean what they say.`;
}

/** @param {[number, ?number, ?number][]} bins count, mean confidence, share that came true */
function showDiagram(bins) {
  const { width, height, left, right, top, plot, gap, counts } = SIZE;
  const x = (share) => left + share * (width - left - right);
  const y = (share) => top + (1 - share) * plot;
  const svg = draw("svg", { class: "diagram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Reliability diagram" });
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(draw("line", { class: "grid", x1: x(0), x2: x(1), y1: y(share), y2: y(share) }));
    svg.append(draw("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, `${100 * share}`));
    svg.append(draw("text", { x: x(share), y: height - 4, "text-anchor": share === 1 ? "end" : "middle" }, `${100 * share} %`));
  }
  const step = 1 / bins.length;
  const most = Math.max(1, ...bins.map(([count]) => count));
  const floor = top + plot + gap + counts;
  bins.forEach(([count, sure, real], i) => {
    if (!count) return;
    const place = { x: x(i * step) + 1, width: x(step) - x(0) - 2 };
    svg.append(draw("rect", { class: "bar", ...place, y: y(real), height: y(0) - y(real), rx: 2 }));
    const tall = Math.max(1, (counts * count) / most);
    const bar = draw("rect", { class: "count", ...place, y: floor - tall, height: tall, rx: 1 });
    bar.append(draw("title", {}, `${count} predictions, ${percent(sure)} sure, ${percent(real)} came true`));
    svg.append(bar);
  });
  svg.append(draw("line", { class: "even", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  for (const [count, sure, real] of bins) {
    if (!count) continue;
    svg.append(draw("line", { class: "gap", x1: x(sure), x2: x(sure), y1: y(sure), y2: y(real) }));
    svg.append(draw("circle", { class: "point", cx: x(sure), cy: y(real), r: 4 }));
  }
  svg.append(draw("text", { x: left + 6, y: top + 12 }, "came true, % over how sure"));
  byId("diagram").replaceChildren(svg);
}
