// What is said of the captured cell as a whole, and which tools can be used on it.

import { writeKaryotype } from "./iscn.js";

const $ = (id) => document.getElementById(id);
const tool = (name) => document.querySelector(`[data-do="${name}"]`);

export function showVerdict(cell) {
  writeKaryotype($("karyotype"), cell.karyotype);
  $("findings").replaceChildren(...cell.findings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("findings").tabIndex = cell.findings.length ? 0 : -1; // an empty list is nothing to stop at
  $("left").textContent = cell.reviewed ? "All reviewed" : cell.unsure ? `${cell.unsure} to review` : "Nothing uncertain: A accepts the cell";
  for (const [name, can] of [["undo", cell.can_undo], ["redo", cell.can_redo]]) {
    tool(name).disabled = !can;
    tool(name).title = can ? "" : `You have nothing to ${name} here: each person takes back what they did`;
  }
  tool("next").disabled = cell.unsure === 0;
  tool("accept-rest").disabled = cell.reviewed && cell.seen;
}

export function tellWhere(cell, openCase) {
  const elsewhere = cell.case === openCase ? "" : `Case ${cell.case} · `;
  const people = cell.seen_by.length ? ` · seen by ${cell.seen_by.join(", ")}` : "";
  $("corrections").textContent = `${elsewhere}Cell ${cell.number} · ${cell.count} chromosomes · ${cell.corrections} corrected${people}`;
}
