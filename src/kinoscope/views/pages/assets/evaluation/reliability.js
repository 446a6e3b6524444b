// The reliability diagram: accuracy over confidence.

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
    for (const [label, bins] of [["with temperature scaling", "bins_after"], ["without", "bins_before"]]) {
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
  const afterScaling = scaled ? `, and ${percent(after)} with logits divided by the model's temperature of ${temperature.toPrecision(3)}` : "";
  byId("calibration-text").textContent = before === null ? "" : `Expected calibration error ${percent(before)}${afterScaling}. Calibrated confidences lie on the dashed line.`;
}

/** @param {[number, ?number, ?number][]} bins count, mean confidence, accuracy */
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
  const maxCount = Math.max(1, ...bins.map(([count]) => count));
  const floor = top + plot + gap + counts;
  bins.forEach(([count, confidence, accuracy], i) => {
    if (!count) return;
    const bounds = { x: x(i * step) + 1, width: x(step) - x(0) - 2 };
    svg.append(draw("rect", { class: "bar", ...bounds, y: y(accuracy), height: y(0) - y(accuracy), rx: 2 }));
    const tall = Math.max(1, (counts * count) / maxCount);
    const bar = draw("rect", { class: "count", ...bounds, y: floor - tall, height: tall, rx: 1 });
    bar.append(draw("title", {}, `${count} predictions, confidence ${percent(confidence)}, accuracy ${percent(accuracy)}`));
    svg.append(bar);
  });
  svg.append(draw("line", { class: "even", x1: x(0), y1: y(0), x2: x(1), y2: y(1) }));
  for (const [count, confidence, accuracy] of bins) {
    if (!count) continue;
    svg.append(draw("line", { class: "gap", x1: x(confidence), x2: x(confidence), y1: y(confidence), y2: y(accuracy) }));
    svg.append(draw("circle", { class: "point", cx: x(confidence), cy: y(accuracy), r: 4 }));
  }
  svg.append(draw("text", { x: left + 6, y: top + 12 }, "accuracy (%) by confidence"));
  byId("diagram").replaceChildren(svg);
}
