// The captured picture with its outlines: choose, cut or draw a chromosome in it, by pointer or by keyboard.

import { api } from "./api.js";
import { STYLES, boundsOf, certainty, drawNames, fitted, pathOf, stroke } from "./labels.js";

const STEP_PX = 3;
const FAR_PX = 15;

export class Picture {
  constructor(canvas, { onPick, onLine, onCancel }) {
    this.canvas = canvas;
    this.onPick = onPick;
    this.onLine = onLine;
    this.onCancel = onCancel;
    this.cell = null;
    this.image = null;
    this.failed = false;
    this.selected = null;
    this.tool = null; // "cut" or "draw"
    this.line = [];
    this.cross = null;
    this.spots = new Map(); // where names stand
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(canvas.parentElement);
    const fit = ([{ target }]) => document.body.style.setProperty("--sheet-width", `${target.clientWidth}px`);
    new ResizeObserver(fit).observe(document.querySelector(".sheet"));
  }

  show(cell, selected) {
    if (this.cell?.id !== cell.id || this.failed) {
      this.failed = false;
      this.spots.clear();
      this.image = new Image();
      this.image.onload = () => this.draw();
      this.image.onerror = () => (this.failed = true); // asked for again when the cell is next shown
      this.image.src = api.picture(cell);
    }
    this.cell = cell;
    this.selected = selected;
    this.draw();
  }

  start(tool) {
    this.tool = tool;
    this.line = [];
    const chosen = this.cell.chromosomes.find((c) => c.id === this.selected);
    const [x0, y0, x1, y1] = chosen ? boundsOf(chosen.outlines, 1) : [0, 0, this.cell.width_px, this.cell.height_px];
    this.cross = [(x0 + x1) / 2, (y0 + y1) / 2];
    this.canvas.classList.add("drawing");
    this.enlarge(true);
    this.canvas.focus();
    this.draw();
  }

  stop() {
    this.tool = null;
    this.line = [];
    this.canvas.classList.remove("drawing");
    this.enlarge(false);
    this.draw();
  }

  // Shows the picture over the karyogram, as large as that, or back in its corner.
  enlarge(large) {
    document.body.classList.toggle("large-picture", large);
    document.getElementById("cancel").textContent = this.tool ? "Cancel" : "Close";
    this.draw();
  }

  get large() {
    return document.body.classList.contains("large-picture");
  }

  turnSize() {
    this.enlarge(!this.large);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * this.cell.width_px, ((event.clientY - box.top) / box.height) * this.cell.height_px];
  }

  down(event) {
    if (!this.cell || !event.isPrimary) return; // a second finger, or the hand beside the first, means nothing
    if (this.tool) {
      this.line = [this.at(event)];
      this.canvas.setPointerCapture(event.pointerId);
    } else {
      const scale = this.canvas.width / this.cell.width_px;
      const [x, y] = this.at(event).map((v) => v * scale);
      const pen = this.canvas.getContext("2d");
      const shown = [...this.cell.chromosomes].sort((a, b) => a.excluded - b.excluded); // removed ones are not outlined
      const hit = shown.find((c) => pen.isPointInPath(pathOf(c.outlines, scale), x, y));
      if (hit) this.onPick(hit.id);
    }
  }

  move(event) {
    if (!this.tool || this.line.length === 0 || !this.canvas.hasPointerCapture(event.pointerId)) return;
    this.line.push(this.at(event));
    this.draw();
  }

  up(event) {
    if (!this.tool || !this.canvas.hasPointerCapture(event.pointerId)) return;
    this.line.push(this.at(event));
    this.finish();
  }

  key(event) {
    if (!this.tool) return;
    const step = event.shiftKey ? FAR_PX : STEP_PX;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      const [dx, dy] = moves[event.key];
      this.cross = [clamp(this.cross[0] + dx, this.cell.width_px), clamp(this.cross[1] + dy, this.cell.height_px)];
    } else if (event.key === " ") {
      this.line.push([...this.cross]);
    } else if (event.key === "Enter") {
      this.finish();
    } else if (event.key === "Escape") {
      this.stop();
      this.onCancel();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.draw();
  }

  finish() {
    const [tool, line] = [this.tool, thinned(this.line)];
    this.stop();
    this.onLine(tool, line.map(([x, y]) => [Math.round(x * 10) / 10, Math.round(y * 10) / 10]));
  }

  draw() {
    const room = this.canvas.parentElement;
    if (!this.cell || room.clientWidth === 0) return;
    const width = Math.min(room.clientWidth, (room.clientHeight * this.cell.width_px) / this.cell.height_px);
    this.canvas.style.width = `${Math.floor(width)}px`;
    const scale = fitted(this.canvas, this.cell.width_px, this.cell.height_px);
    const pen = this.canvas.getContext("2d");
    // Without an image yet the canvas, which fitted() has emptied, stays empty: it must not show the cell before.
    if (this.image.naturalWidth) pen.drawImage(this.image, 0, 0, this.canvas.width, this.canvas.height);
    for (const chromosome of this.cell.chromosomes) {
      if (chromosome.excluded && chromosome.id !== this.selected) continue;
      const chosen = chromosome.id === this.selected;
      const style = STYLES[certainty(chromosome)];
      const shown = chosen ? { colour: "#ffffff", width: 2.6, dash: [] } : { ...style, width: style.width * 0.6 };
      stroke(pen, pathOf(chromosome.outlines, scale), shown, devicePixelRatio);
    }
    if (this.tool) this.drawTool(pen, scale);
    else if (this.large) drawNames(this.canvas, this.cell.chromosomes.filter((c) => !c.excluded), scale, this.spots);
  }

  drawTool(pen, scale) {
    pen.strokeStyle = "#ff5ad0";
    pen.lineWidth = 2 * devicePixelRatio;
    pen.beginPath();
    this.line.forEach(([x, y], k) => (k === 0 ? pen.moveTo(x * scale, y * scale) : pen.lineTo(x * scale, y * scale)));
    const [x, y] = this.cross.map((v) => v * scale);
    const arm = 9 * devicePixelRatio;
    if (document.activeElement === this.canvas) {
      if (this.line.length) pen.lineTo(x, y);
      pen.moveTo(x - arm, y);
      pen.lineTo(x + arm, y);
      pen.moveTo(x, y - arm);
      pen.lineTo(x, y + arm);
    }
    pen.stroke();
  }
}

function clamp(value, most) {
  return Math.max(0, Math.min(most - 1, value));
}

// A pointer gives many points, the server takes 200 at most.
function thinned(line) {
  const every = Math.ceil(line.length / 100);
  return line.filter((_, k) => k % every === 0 || k === line.length - 1);
}
