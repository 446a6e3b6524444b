// Curves over the frames of the clip, with a cursor at the frame on screen.

const BOX = { width: 560, height: 210, left: 8, right: 8, top: 12, bottom: 26 };

/** @param {string} tag @param {Object<string, string|number>} attributes @param {?string} text */
function draw(tag, attributes, text = null) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== null) element.textContent = text;
  return element;
}

function x(index) {
  return BOX.left + (index * (BOX.width - BOX.left - BOX.right)) / Math.max(1, count - 1);
}

/** Scale values so that the largest is 1. @param {number[]} values */
function scaled(values) {
  const max = Math.max(...values.map(Math.abs));
  return max > 0 ? values.map((value) => value / max) : values;
}

function currentCurves() {
  const curves = [{ kind: "still", values: scaled(data.curve) }];
  if (now.method) curves.push({ kind: "warm", values: scaled(data.methods[now.method].over_time) });
  if (data.attention) curves.push({ kind: "attend", values: scaled(data.attention) });
  return curves;
}

/** Draw the curves of the method on screen. @param {SVGElement} svg */
function drawCurves(svg) {
  const curves = currentCurves();
  const low = Math.min(0, ...curves.flatMap(({ values }) => values));
  const y = (value) => BOX.top + ((1 - value) / (1 - low)) * (BOX.height - BOX.top - BOX.bottom);
  const line = (values) => values.map((value, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const parts = [draw("line", { class: "base", x1: BOX.left, x2: BOX.width - BOX.right, y1: y(0), y2: y(0) })];
  parts.push(draw("path", { class: "area", d: `${line(curves[0].values)}L${x(count - 1)} ${y(0)}L${x(0)} ${y(0)}Z` }));
  for (const { kind, values } of curves) parts.push(draw("path", { class: `curve ${kind}`, d: line(values) }));
  const ends = [[0, "start"], [count - 1, "end"]];
  for (const [index, anchor] of ends) {
    parts.push(draw("text", { x: x(index), y: BOX.height - 6, "text-anchor": anchor }, seconds(data.times[index])));
  }
  svg.replaceChildren(...parts);
}

function showLegend() {
  const legend = [["--still", "fall of the log-odds of the class when motion is frozen"]];
  if (now.method) legend.push(["--warm", `mean heatmap value of ${now.method}`]);
  if (data.attention) legend.push(["--attend", "attention of the model"]);
  byId("legend").replaceChildren(
    ...legend.map(([colour, text]) => {
      const item = make("span", null, text);
      item.style.setProperty("--colour", `var(${colour})`);
      return item;
    }),
  );
}

function showGraph() {
  const svg = draw("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "slider", tabindex: 0, "aria-label": "Frame", "aria-valuemin": 1, "aria-valuemax": count });
  const curves = draw("g", {});
  const cursor = draw("line", { class: "cursor", y1: BOX.top - 6, y2: BOX.height - BOX.bottom });
  const knob = draw("circle", { class: "knob", cy: BOX.top - 5, r: 5 });
  svg.append(curves, cursor, knob);
  byId("graph").append(svg);
  const go = (event) => {
    const bounds = svg.getBoundingClientRect();
    const position = ((event.clientX - bounds.left) / bounds.width) * BOX.width;
    show({ index: Math.round(((position - BOX.left) / (BOX.width - BOX.left - BOX.right)) * (count - 1)), playing: false });
  };
  svg.addEventListener("pointerdown", (event) => {
    svg.setPointerCapture(event.pointerId);
    go(event);
  });
  svg.addEventListener("pointermove", (event) => {
    if (event.buttons) go(event);
  });
  let drawnMethod;
  watchers.push(() => {
    if (drawnMethod !== now.method) {
      drawCurves(curves);
      showLegend();
      drawnMethod = now.method;
    }
    for (const name of ["x1", "x2"]) cursor.setAttribute(name, x(now.index));
    knob.setAttribute("cx", x(now.index));
    svg.setAttribute("aria-valuenow", now.index + 1);
    svg.setAttribute("aria-valuetext", seconds(data.times[now.index]));
  });
}
