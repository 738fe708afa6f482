// The 24 places and the chromosomes in them: drawing, selecting, dragging. What an edit does is the server's to say.

import { api } from "./api.js";
import { certainty } from "./labels.js";
import { typed } from "./typed.js";

const ROWS = [
  [["A", ["1", "2", "3"]], ["B", ["4", "5"]]],
  [["C", ["6", "7", "8", "9", "10", "11", "12"]]],
  [["D", ["13", "14", "15"]], ["E", ["16", "17", "18"]]],
  [["F", ["19", "20"]], ["G", ["21", "22"]], ["sex", ["X", "Y"]], ["other", ["marker", "removed"]]],
];
const PLACES = ROWS.flat().flatMap(([, places]) => places);
const PLACE_OF = (c) => (c.excluded ? "removed" : c.kind === "marker" ? "marker" : c.label);
const WORDS_OF = { marker: "The selected one is a marker", removed: "Remove the selected one" };
const PAIRED = new Set(Array.from({ length: 22 }, (_, k) => String(k + 1)));
const SEX = ["X", "Y"];
const ROW_EXTRA_PX = 44;
const SMALLEST = 0.4;
const LARGEST = 3; // screen pixels a crop pixel

export class Karyogram {
  constructor(root, { onSelect, onMove, onSwap }) {
    this.root = root;
    this.onSelect = onSelect;
    this.onMove = onMove;
    this.onSwap = onSwap;
    this.cell = null;
    this.selected = null;
    this.held = null; // the first of a swap or a join
    this.dragging = null; // the id of the chromosome being dragged; null while something else is, as a file or a text
    this.waiting = null; // the cell that came during a drag: drawing it at once would end the drag
    new ResizeObserver(() => this.fit()).observe(root);
  }

  show(cell) {
    if (this.dragging !== null && cell.id === this.cell.id) {
      this.waiting = cell;
      return;
    }
    this.dragging = this.waiting = null;
    this.cell = cell;
    if (!cell.chromosomes.some((c) => c.id === this.selected)) {
      typed.clear(); // what was typed was for the one that has gone
      this.selected = cell.unsure_ids[0] ?? firstOf(cell) ?? null;
    }
    const focused = this.root.contains(document.activeElement);
    this.root.replaceChildren(...ROWS.map((row) => this.row(row)));
    this.fit();
    if (focused) this.button(this.selected)?.focus({ preventScroll: true });
    this.onSelect(this.chromosome());
  }

  chromosome(id = this.selected) {
    return this.cell?.chromosomes.find((c) => c.id === id);
  }

  select(id, { focus = true, typing = false } = {}) {
    if (this.chromosome(id) === undefined) return;
    if (id !== this.selected && !typing) typed.clear();
    this.button(this.selected)?.classList.remove("selected");
    this.button(this.selected)?.setAttribute("tabindex", "-1");
    this.selected = id;
    const button = this.button(id);
    button.classList.add("selected");
    button.setAttribute("tabindex", "0");
    if (focus) button.focus({ preventScroll: false });
    this.onSelect(this.chromosome());
  }

  leave() {
    this.hold(null);
    this.selected = null;
  }

  // The first of two that a swap or a join takes; null when there is none.
  hold(id, why) {
    this.held = id === null ? null : { id, why };
    for (const button of this.root.querySelectorAll(".chromosome")) button.classList.toggle("held", Number(button.dataset.id) === id);
  }

  step(dx, dy) {
    const here = this.button(this.selected)?.getBoundingClientRect();
    if (!here) return;
    const buttons = [...this.root.querySelectorAll(".chromosome")];
    if (dy === 0) {
      const k = buttons.findIndex((b) => Number(b.dataset.id) === this.selected);
      this.select(Number(buttons[(k + dx + buttons.length) % buttons.length].dataset.id));
      return;
    }
    const middle = (here.left + here.right) / 2;
    const rows = [...this.root.children];
    let k = rows.findIndex((row) => row.contains(this.button(this.selected)));
    for (k += dy; k >= 0 && k < rows.length; k += dy) {
      const there = [...rows[k].querySelectorAll(".chromosome")];
      if (there.length === 0) continue;
      const off = (b) => Math.abs((b.getBoundingClientRect().left + b.getBoundingClientRect().right) / 2 - middle);
      this.select(Number(there.reduce((a, b) => (off(b) < off(a) ? b : a)).dataset.id));
      return;
    }
  }

  button(id) {
    return this.root.querySelector(`.chromosome[data-id="${id}"]`);
  }

  // During a drag the cell as it was when that began, if a newer one has come since: the drop is based on it.
  get seen() {
    return this.waiting ? this.cell : null;
  }

  letGo() {
    this.dragging = null;
    const cell = this.waiting;
    this.waiting = null;
    if (cell) this.show(cell);
  }

  // One scale for all, as large as the sheet allows; removed ones are not reckoned with.
  fit() {
    if (!this.cell || this.root.clientHeight === 0) return;
    const counted = this.cell.chromosomes.filter((c) => !c.excluded);
    const longest = (row) => Math.max(20, ...counted.filter((c) => row.some(([, places]) => places.includes(PLACE_OF(c)))).map((c) => c.size_px[1]));
    const total = ROWS.reduce((sum, row) => sum + longest(row), 0);
    const byHeight = (this.root.clientHeight - ROWS.length * ROW_EXTRA_PX - 12) / total;
    const widest = Math.max(...counted.map((c) => c.size_px[0]), 1);
    const byWidth = this.root.clientWidth / (widest * 20);
    let scale = Math.max(0.8, Math.min(LARGEST, byHeight, byWidth));
    this.root.style.setProperty("--scale", scale.toFixed(3));
    for (let k = 0; k < 4 && scale > SMALLEST && this.root.scrollWidth > this.root.clientWidth; k++) { // many in a row
      scale = Math.max(SMALLEST, (0.97 * scale * this.root.clientWidth) / this.root.scrollWidth);
      this.root.style.setProperty("--scale", scale.toFixed(3));
    }
    for (const row of this.root.children) row.style.setProperty("--longest", longest(ROWS[Number(row.dataset.row)]));
  }

  row(groups) {
    const row = document.createElement("div");
    row.className = "row";
    row.dataset.row = ROWS.indexOf(groups);
    for (const [letter, places] of groups) {
      const group = document.createElement("div");
      group.className = "group";
      const line = document.createElement("div");
      line.className = "places";
      line.append(...places.map((place) => this.place(place)));
      const name = document.createElement("span");
      name.className = "letter";
      name.textContent = letter;
      group.append(line, name);
      row.append(group);
    }
    return row;
  }

  place(name) {
    const here = this.cell.chromosomes.filter((c) => PLACE_OF(c) === name);
    const place = document.createElement("div");
    place.className = "place";
    place.dataset.place = name;
    place.setAttribute("role", "group");
    place.setAttribute("aria-label", `${name}: ${here.length}`);
    const odd = PAIRED.has(name) ? here.length !== 2 : SEX.includes(name) && this.oddSex(name);
    place.classList.toggle("odd", odd);
    const copies = document.createElement("div");
    copies.className = "copies";
    copies.append(...here.map((c) => this.chip(c)));
    const number = document.createElement("button");
    number.type = "button";
    number.className = "number";
    number.tabIndex = -1; // with the keyboard a label is typed instead
    number.title = WORDS_OF[name] ?? `The selected one is ${withArticle(name)}`;
    number.addEventListener("click", () => this.chromosome() && this.onMove(this.selected, name));
    number.textContent = odd || (here.length > 0 && !PAIRED.has(name) && name.length > 1) ? `${name} (${here.length})` : name;
    place.append(copies, number);
    place.addEventListener("dragover", (event) => {
      event.preventDefault(); // else the browser would open a dropped file instead of the page
      if (this.dragging === null) event.dataTransfer.dropEffect = "none";
      else place.classList.add("over");
    });
    place.addEventListener("dragleave", () => place.classList.remove("over"));
    place.addEventListener("drop", (event) => {
      event.preventDefault();
      place.classList.remove("over");
      if (this.dragging !== null) this.dropped(this.dragging, name, event);
    });
    return place;
  }

  // Whether to mark X or Y because the sex is neither XX nor XY; a place Y without a chromosome is never marked.
  oddSex(name) {
    const [x, y] = SEX.map((sex) => this.cell.chromosomes.filter((c) => PLACE_OF(c) === sex).length);
    return !(x + y === 2 && x > 0) && (name === "X" || y > 0);
  }

  // A chromosome that is dropped on its own place has not moved.
  dropped(id, place, event) {
    const onto = event.target.closest(".chromosome");
    if (onto && event.shiftKey && Number(onto.dataset.id) !== id) this.onSwap(id, Number(onto.dataset.id), this.seen);
    else if (PLACE_OF(this.chromosome(id)) !== place) this.onMove(id, place, this.seen);
  }

  chip(chromosome) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = `chromosome ${certainty(chromosome)}`;
    button.dataset.id = chromosome.id;
    button.draggable = true;
    button.tabIndex = chromosome.id === this.selected ? 0 : -1;
    button.classList.toggle("selected", chromosome.id === this.selected);
    button.classList.toggle("held", this.held?.id === chromosome.id);
    button.classList.toggle("upside-down", !chromosome.p_arm_up);
    button.classList.toggle("edited", chromosome.edited);
    button.classList.toggle("derivative", chromosome.kind === "derivative");
    button.style.setProperty("--w", chromosome.size_px[0]);
    button.style.setProperty("--h", chromosome.size_px[1]);
    button.setAttribute("aria-label", spoken(chromosome));
    const picture = document.createElement("img");
    picture.src = api.cutout(this.cell, chromosome);
    picture.alt = "";
    picture.draggable = false;
    button.append(picture);
    button.addEventListener("click", () => this.select(chromosome.id));
    button.addEventListener("focus", () => this.selected !== chromosome.id && this.select(chromosome.id, { focus: false }));
    button.addEventListener("dragstart", (event) => {
      event.dataTransfer.setData("application/x-chromosome", String(chromosome.id)); // of a type of its own, so that no input field takes it for text
      event.dataTransfer.effectAllowed = "move";
      this.dragging = chromosome.id;
      this.select(chromosome.id, { focus: false });
    });
    button.addEventListener("dragend", () => this.letGo());
    return button;
  }
}

// The id of the first in the sheet, which the arrows start from.
function firstOf({ chromosomes }) {
  const rank = (c) => PLACES.indexOf(PLACE_OF(c));
  return [...chromosomes].sort((a, b) => rank(a) - rank(b))[0]?.id;
}

// Whether nothing would change if the chromosome were put into that place, or accepted where it is.
export function settled(chromosome, place = PLACE_OF(chromosome)) {
  return PLACE_OF(chromosome) === place && (chromosome.excluded || chromosome.status === "accepted");
}

function spoken(chromosome) {
  const kind = chromosome.kind === "whole" ? "" : ` ${chromosome.kind}`;
  const state = chromosome.excluded ? "removed" : chromosome.status === "review" ? "to review" : "accepted";
  const [first, second] = chromosome.candidates;
  const other = second ? `, or ${second[0]} ${percent(second[1])}` : "";
  return `Chromosome ${chromosome.label}${kind}, ${percent(chromosome.confidence)}, ${state}; looks like ${first[0]} ${percent(first[1])}${other}`;
}

export function withArticle(label) {
  return `${["8", "11", "18", "X"].includes(label) ? "an" : "a"} ${label}`;
}

export function percent(share) {
  return share < 0.005 ? "< 1 %" : `${Math.min(99, Math.round(share * 100))} %`;
}
