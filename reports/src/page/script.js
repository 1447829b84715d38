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
