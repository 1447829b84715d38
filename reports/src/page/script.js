"use strict";
// Filters the decisions. Without scripts the whole table is there, and the controls are not.
const table = document.getElementById("decision-table");
if (table) {
  const stack = document.getElementById("decision-stack");
  const text = document.getElementById("decision-text");
  const holds = document.getElementById("decision-holds");
  const count = document.getElementById("decision-count");
  const rows = Array.from(table.tBodies[0].rows, (row) => ({
    row,
    stack: row.cells[1].textContent,
    words: row.textContent.toLowerCase(),
    isHold: row.classList.contains("hold"),
  }));
  const filter = () => {
    const words = text.value.toLowerCase().split(/\s+/);
    let shown = 0;
    for (const { row, stack: name, words: content, isHold } of rows) {
      const fits = (!stack.value || name === stack.value) && (holds.checked || !isHold);
      row.hidden = !(fits && words.every((word) => content.includes(word)));
      shown += row.hidden ? 0 : 1;
    }
    count.value = `${shown} of ${rows.length}`;
  };
  for (const control of [stack, text, holds]) control.addEventListener("input", filter);
  document.querySelector(".filter").hidden = false;
  filter();
}

// Reads a timeline out where the pointer is.
const clock = (hours) => {
  const minutes = Math.round(hours * 60);
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")} h`;
};
const cells = (kind, texts) => {
  const row = document.createElement("tr");
  for (const text of texts) row.appendChild(document.createElement(kind)).append(text);
  return row;
};
const named = (name, colour) => {
  const span = document.createElement("span");
  span.className = "stack";
  span.appendChild(document.createElement("i")).style.background = `var(--stack-${colour})`;
  span.append(name);
  return span;
};
for (const day of JSON.parse(document.getElementById("readouts").textContent)) {
  const figure = document.getElementById(day.id).querySelector("figure");
  const drawing = figure.querySelector("svg");
  const line = figure.appendChild(document.createElement("div"));
  const box = figure.appendChild(document.createElement("div"));
  line.className = "pointer";
  box.className = "readout";
  line.hidden = box.hidden = true;
  const hide = () => { line.hidden = box.hidden = true; };
  figure.addEventListener("pointerleave", hide);
  figure.addEventListener("pointermove", (event) => {
    const frame = drawing.getBoundingClientRect();
    const x = (event.clientX - frame.left) / frame.width;
    const hours = ((x - day.span[0]) / (day.span[1] - day.span[0])) * day.horizon_h;
    const at = day.from_h.findLastIndex((from) => from <= hours);
    if (at < 0 || hours > day.horizon_h || event.clientY > frame.bottom) return hide();
    const table = document.createElement("table");
    table.append(cells("th", [clock(day.from_h[at]), "ready", "starting", "wanted", "queue"]));
    for (const { name, colour, ready, starting, wanted, queue } of day.stacks) {
      table.append(cells("td", [named(name, colour), ...[ready, starting, wanted, queue].map((list) => String(list[at] ?? "–"))]));
    }
    box.replaceChildren(table, `demand ${day.demand_rps[at].toFixed(2)} req/s`);
    line.hidden = box.hidden = false;
    line.style.left = `${event.clientX - frame.left}px`;
    line.style.height = `${frame.height}px`;
    const side = x < 0.5 ? 16 : -16 - box.offsetWidth;
    box.style.left = `${event.clientX - frame.left + side}px`;
    box.style.top = `${event.clientY - frame.top + 12}px`;
  });
}
