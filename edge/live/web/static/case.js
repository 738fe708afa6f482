// The open case beside the live picture: what its cells say together, each of them, and the files to take away.

import { api } from "./api.js";
import { writeKaryotype } from "./iscn.js";

const $ = (id) => document.getElementById(id);
let open = ""; // the open case's name

export function showCase(now, onOpen) {
  if (!unopened()) $("case-name").value = now.name;
  open = now.name;
  $("case-name").title = `${open}. Another name and Enter: the case of the next patient, for all pages`; // the field is short
  $("case-names").replaceChildren(...now.cases.map((name) => Object.assign(document.createElement("option"), { value: name })));
  $("cells-title").textContent = `Captured cells${summed(now.cells)}`;
  $("no-cells").hidden = now.cells.length > 0;
  $("exports").hidden = now.cells.length === 0;
  writeKaryotype($("tally"), (now.cells.length ? now.tally.headline : "") + (now.tally.karyotype && now.tally.provisional ? " (provisional)" : ""));
  const strays = now.tally.not_clonal.map(({ change, cells }) => `not clonal: ${change} in ${cells.length === 1 ? "cell" : "cells"} ${cells.join(", ")}`);
  $("case-findings").replaceChildren(...[...now.tally.findings, ...strays].map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  $("exclusion").textContent = now.tally.exclusion;
  const held = $("cells").contains(document.activeElement) ? document.activeElement.dataset.cell : null;
  $("cells").replaceChildren(...now.cells.map((cell) => cellEntry(cell, now.tally, onOpen)).reverse());
  if (held) $("cells").querySelector(`[data-cell="${held}"]`)?.focus({ preventScroll: true }); // it stays where it was
}

function summed(cells) {
  const waiting = cells.filter((c) => !c.reviewed && !c.set_aside).length;
  return cells.length ? `: ${cells.length}, ${waiting || "none"} to review` : "";
}

function cellEntry(summary, tally, onOpen) {
  const entry = document.createElement("li");
  const open = document.createElement("button");
  open.type = "button";
  open.dataset.cell = summary.id;
  const apart = ["apart", "incomplete"].find((why) => tally[why].includes(summary.number));
  const waits = summary.unsure ? `${summary.unsure} to review` : "to review";
  const left = (summary.set_aside ? "set aside" : summary.reviewed ? "✓ reviewed" : waits) + (apart ? `, ${apart}` : "");
  for (const text of [`${summary.number}.`, summary.karyotype, left]) {
    open.append(Object.assign(document.createElement("span"), { textContent: text }), " ");
  }
  open.className = summary.set_aside ? "set-aside" : summary.reviewed ? "done" : "review";
  open.addEventListener("click", () => onOpen(summary.id));
  entry.append(open);
  return entry;
}

export function offerExports(say, onPointer) {
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", async ({ detail: byPointer }) => {
      if (byPointer) onPointer();
      try {
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await api.export(button.dataset.export, open));
        link.download = `${open}-${button.dataset.file}`; // the browser replaces what no file may be called
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        say(`${link.download} saved`);
      } catch (error) {
        say(error.message);
      }
    });
  }
}

// The name that was typed in the header and is not open yet.
export function unopened() {
  const name = $("case-name").value.trim();
  return name === open ? "" : name;
}

// The field in the header opens the next patient's case with Enter; what was typed and left stays until then or Escape.
export function offerCases(onAsked) {
  const field = $("case-name");
  $("case-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (field.value.trim() && field.value.trim() !== open) onAsked(field.value.trim());
  });
  $("case-form").addEventListener("focusout", (event) => {
    if (!$("case-form").contains(event.relatedTarget) && !unopened()) field.value = open;
  });
  field.addEventListener("keydown", (event) => event.key === "Escape" && ((field.value = open), field.blur()));
}
