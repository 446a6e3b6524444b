// The facts: what the file is, what ran and how that went, said plainly.

const statusNames = { ok: "done", failed: "failed", skipped: "skipped", interrupted: "stopped early",
  incomplete: "incomplete" };

/** @param {string} status */
function statusText(status) {
  return Object.hasOwn(statusNames, status) ? statusNames[status] : status;
}

function showFacts() {
  byId("name").textContent = data.name;
  byId("name").title = data.name;
  byId("facts").replaceChildren(...fileFacts().map((fact) => make("span", null, fact)));
  byId("notices").replaceChildren(...notices());
  byId("made").textContent = `Made by kinoscope ${data.version}`.trim() + ".";
  showTasks();
  showDecode();
}

/** @returns {string[]} */
function fileFacts() {
  const { width, height, rate, codec, audio_codec: sound, has_audio: hasAudio, variable } = data.source;
  const frames = rate ? `${Number((1 / frameTime).toFixed(3))} frames/s${variable ? ", varying" : ""}` : null;
  const audio = hasAudio === undefined ? null : hasAudio ? sound ?? "with sound" : "no sound";
  return [clockText(data.duration, 1), width && height ? `${width} × ${height}` : null, frames, codec, audio].filter(Boolean);
}

/** One line for each task that did not do all its work, and for a source that was not read to its end. */
function notices() {
  const troubles = Object.entries(data.tasks).filter(([, report]) => report.status !== "ok");
  const lines = troubles.map(([name, report]) => [report.status, `${name} ${statusText(report.status)}`, report.reason ?? ""]);
  if (!data.decode.complete) lines.push(["failed", "The video was not read to its end", data.decode.errors?.at(-1) ?? ""]);
  if (data.decode.missing?.length) lines.push(["failed", "Frames are missing", stretchesText(data.decode.missing)]);
  if (data.decode.damaged?.length) lines.push(["skipped", "Frames are damaged", stretchesText(data.decode.damaged)]);
  return lines.map(([status, what, why]) => make("p", `notice ${status === "skipped" ? "mild" : ""}`, null, make("b", null, what), make("span", null, why)));
}

/** @param {number[][]} stretches in presentation seconds */
function stretchesText(stretches) {
  const zero = data.source.start ?? 0;
  const shown = stretches.slice(0, 5).map(([start, end]) => spanText(start - zero, end - zero));
  return shown.join(", ") + (stretches.length > 5 ? ` and ${stretches.length - 5} more` : "");
}

const columns = ["Task", "Status", "Model", "Licence", "Runtime", "Frames", "Looked at", "Seconds"];

function showTasks() {
  const head = make("thead", null, null, make("tr", null, null, ...columns.map((name) => make("th", null, name))));
  const rows = Object.entries(data.tasks).map(([name, report]) => taskRow(name, report));
  if (rows.length > 1) rows.push(totalRow());
  if (!rows.length) rows.push(make("tr", null, null, Object.assign(make("td", "dim", "No task ran."), { colSpan: columns.length })));
  byId("ran-table").replaceChildren(head, make("tbody", null, null, ...rows));
}

function taskRow(name, report) {
  const number = (value) => (Number.isFinite(value) ? value.toLocaleString("en") : "–");
  const status = make("span", `status ${Object.hasOwn(statusNames, report.status) ? report.status : ""}`, statusText(report.status));
  const reason = report.reason ? make("span", "reason", report.reason) : null;
  const seconds = Number.isFinite(report.seconds) ? report.seconds.toFixed(1) : "–";
  const values = [name, make("span", null, null, status, reason), report.model ?? "–", report.licence ?? "–", report.runtime ?? "–", number(report.frames), number(report.inferences), seconds];
  return make("tr", null, null, ...values.map((value, i) => cell(value, i)));
}

/** What several tasks do at once is divided among them, so that their seconds add up. */
function totalRow() {
  const seconds = Object.values(data.tasks).reduce((sum, report) => sum + (report.seconds || 0), 0);
  const values = columns.map((name, i) => (i === 0 ? "all" : name === "Seconds" ? seconds.toFixed(1) : ""));
  const row = make("tr", "total", null, ...values.map((value, i) => cell(value, i)));
  row.title = "What several tasks do at once is divided among them";
  return row;
}

function cell(value, i) {
  const td = make("td", [i > 4 && "number", value === "–" && "none"].filter(Boolean).join(" "));
  td.dataset.name = columns[i];
  td.append(value);
  return td;
}

function showDecode() {
  const { frames, failures, corrupt, policy, dropped, reconnects, resizes, guessed, complete, errors } = data.decode;
  const facts = [
    ["Frames read", frames], ["Broken frames", failures ? `${failures} (${policy})` : 0], ["Frames dropped", dropped],
    ["Damaged frames", corrupt], ["Reconnects", reconnects], ["Size changes", resizes], ["Times filled in", guessed], ["Read to the end", complete ? "yes" : "no"],
  ];
  const always = ["Frames read", "Broken frames", "Read to the end"];
  const said = facts.filter(([name, value]) => value || always.includes(name));
  byId("decode").replaceChildren(...said.map(([name, value]) => make("div", null, null, make("dt", null, name), make("dd", null, value.toLocaleString("en")))));
  const details = byId("decode-errors");
  details.hidden = !errors?.length;
  details.querySelector("summary").textContent = countText(errors?.length ?? 0, "message");
  details.querySelector("ul").replaceChildren(...(errors ?? []).map((line) => make("li", null, line)));
}
