// The open case beside the live picture: its tally, its cells, and the files to save.

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
  listCells(now, onOpen);
}

// The newest first. Buttons of cells that are listed already stay: a new one in the place of one that is being pressed
// would lose the press, and the focus.
function listCells({ cells, tally }, onOpen) {
  const list = $("cells");
  const there = new Map([...list.querySelectorAll("button")].map((button) => [Number(button.dataset.cell), button]));
  for (const [id, button] of there) if (!cells.some((cell) => cell.id === id)) button.parentElement.remove();
  [...cells].reverse().forEach((cell, place) => {
    const button = there.get(cell.id) ?? cellButton(cell.id, onOpen);
    tellCell(button, cell, tally);
    if (list.children[place] !== button.parentElement) list.insertBefore(button.parentElement, list.children[place] ?? null);
  });
}

function summed(cells) {
  const waiting = cells.filter((c) => !c.reviewed && !c.set_aside).length;
  return cells.length ? `: ${cells.length}, ${waiting || "none"} to review` : "";
}

function cellButton(id, onOpen) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.cell = id;
  for (let k = 0; k < 3; k++) button.append(document.createElement("span"), " ");
  button.addEventListener("click", () => onOpen(id));
  document.createElement("li").append(button);
  return button;
}

function tellCell(button, summary, tally) {
  const apart = ["apart", "incomplete"].find((why) => tally[why].includes(summary.number));
  const waits = summary.unsure ? `${summary.unsure} to review` : "to review";
  const left = (summary.set_aside ? "set aside" : summary.reviewed ? "✓ reviewed" : waits) + (apart ? `, ${apart}` : "");
  [`${summary.number}.`, summary.karyotype, left].forEach((text, k) => (button.children[k].textContent = text));
  button.className = summary.set_aside ? "set-aside" : summary.reviewed ? "done" : "review";
}

// `ready` tells when all is done that was asked before, and gives nothing where the board did not answer that.
export function offerExports(say, onPointer, ready) {
  for (const button of document.querySelectorAll("[data-export]")) {
    button.addEventListener("click", async ({ detail: byPointer }) => {
      if (byPointer) onPointer();
      if (button.ariaBusy) return; // busy, not disabled: a disabled button loses the keyboard focus
      const name = open; // the case that was asked for: another may be open when the file comes
      button.ariaBusy = "true";
      try {
        if (!(await ready())) return;
        say(`Making ${name}-${button.dataset.file}`);
        const link = document.createElement("a");
        link.href = URL.createObjectURL(await api.export(button.dataset.export, name));
        link.download = `${name}-${button.dataset.file}`; // the browser replaces what no file may be called
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        say(`${link.download} saved`);
      } catch (error) {
        say(error.message);
      } finally {
        button.ariaBusy = null;
      }
    });
  }
}

// The name in the header's field, if that case is not open yet.
export function unopened() {
  const name = $("case-name").value.trim();
  return isSame(name, open) ? "" : name;
}

// Some keyboards give an umlaut as two characters, and the eye sees no difference.
export function isSame(name, other) {
  return name.normalize() === other.normalize();
}

// Enter in the header's field opens the next patient's case. A name that was typed stays there until Enter or Escape.
export function offerCases(onAsked) {
  const field = $("case-name");
  $("case-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (unopened()) onAsked(unopened());
  });
  $("case-form").addEventListener("focusout", (event) => {
    if (!$("case-form").contains(event.relatedTarget) && !unopened()) field.value = open;
  });
  field.addEventListener("keydown", (event) => event.key === "Escape" && ((field.value = open), field.blur()));
}
