// Outlines and names on a canvas. Sure, likely and to review differ in colour, line and question mark.

export const STYLES = {
  sure: { colour: "#5ab4ff", width: 2.4, dash: [] },
  likely: { colour: "#5ab4ff", width: 1.3, dash: [] },
  review: { colour: "#ffa01e", width: 2, dash: [5, 4] },
};
const SURE_FROM = 0.99;
const RIM = "rgba(0, 0, 0, 0.85)";

export function certainty(chromosome) {
  if (chromosome.status === "review") return "review";
  return chromosome.confidence >= SURE_FROM ? "sure" : "likely";
}

// Draws labels = {width_px, height_px, chromosomes} over the whole canvas, at the screen's own resolution. spots keeps
// where each name stood (id to place), so that names do not wander while the stage stands still.
export function drawLabels(canvas, labels, spots) {
  const scale = fitted(canvas, labels.width_px, labels.height_px);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  labels.chromosomes.forEach((c) => stroke(pen, pathOf(c.outlines, scale), STYLES[certainty(c)], devicePixelRatio));
  drawNames(canvas, labels.chromosomes, scale, spots);
}

// The name of each beside it, where it hides least.
export function drawNames(canvas, chromosomes, scale, spots) {
  const pen = canvas.getContext("2d");
  const size = Math.max(13, Math.min(20, canvas.width / devicePixelRatio / 44)) * devicePixelRatio;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const room = new Room(canvas, chromosomes.map((c) => pathOf(c.outlines, scale)));
  for (const chromosome of chromosomes) {
    const text = nameOf(chromosome) + (chromosome.status === "review" ? "?" : "");
    const [w, h] = [pen.measureText(text).width + 2, size];
    const places = spotsAround(chromosome.outlines, scale, w, h);
    const [x, y] = room.take(places, spots.get(chromosome.id), w, h);
    spots.set(chromosome.id, places.findIndex((p) => p[0] === x && p[1] === y));
    pen.lineWidth = size / 4;
    pen.strokeStyle = RIM;
    pen.strokeText(text, x, y);
    pen.fillStyle = chromosome.status === "review" ? STYLES.review.colour : "#ffffff";
    pen.fillText(text, x, y);
  }
}

// As ISCN writes it.
function nameOf({ kind, label }) {
  if (kind === "marker") return "mar";
  return kind === "derivative" ? `der(${label})` : label;
}

// Which parts of the picture are taken by chromosomes and names, on a coarse grid.
class Room {
  constructor(canvas, paths) {
    this.cell = Math.max(1, canvas.width / 220);
    this.width = Math.ceil(canvas.width / this.cell);
    this.height = Math.ceil(canvas.height / this.cell);
    const small = new OffscreenCanvas(this.width, this.height);
    const pen = small.getContext("2d", { willReadFrequently: true });
    pen.scale(1 / this.cell, 1 / this.cell);
    for (const path of paths) pen.fill(path);
    const alpha = pen.getImageData(0, 0, this.width, this.height).data;
    this.cost = Float32Array.from({ length: this.width * this.height }, (_, k) => (alpha[4 * k + 3] > 60 ? 1 : 0));
  }

  // The place, of those given by their middles [x, y], that hides least; or the one before, if it is hardly worse.
  take(places, before, w, h) {
    const costs = places.map(([x, y]) => this.sum(x, y, w, h));
    let best = costs.indexOf(Math.min(...costs));
    if (before >= 0 && costs[before] <= costs[best] + 3) best = before;
    this.each(...places[best], w, h, (k) => (this.cost[k] += 8));
    return places[best];
  }

  sum(x, y, w, h) {
    let total = 0;
    const outside = this.each(x, y, w, h, (k) => (total += this.cost[k]));
    return total + 20 * outside;
  }

  each(x, y, w, h, visit) {
    let outside = 0;
    for (let j = Math.floor((y - h / 2) / this.cell); j <= (y + h / 2) / this.cell; j++) {
      for (let i = Math.floor((x - w / 2) / this.cell); i <= (x + w / 2) / this.cell; i++) {
        if (i < 0 || j < 0 || i >= this.width || j >= this.height) outside += 1;
        else visit(j * this.width + i);
      }
    }
    return outside;
  }
}

// The places for a name: outside of eight points of the outline, and its middle.
function spotsAround(outlines, scale, w, h) {
  const longest = outlines.reduce((a, b) => (b.length > a.length ? b : a));
  const [x0, y0, x1, y1] = boundsOf([longest], scale);
  const [mx, my] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const spots = [];
  for (const angle of [-2, 2, 0, 4, -1, 1, -3, 3].map((k) => (k * Math.PI) / 4)) {
    const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
    let far = 0;
    for (let i = 2; i < longest.length; i += 2) {
      if (longest[i] * dx + longest[i + 1] * dy > longest[far] * dx + longest[far + 1] * dy) far = i;
    }
    spots.push([(longest[far] + 0.5) * scale + dx * (w / 2 + 3), (longest[far + 1] + 0.5) * scale + dy * (h / 2 + 4)]);
  }
  spots.push([mx, my]);
  return spots;
}

// Gives the canvas the screen's resolution for a picture of that shape; returns how many canvas pixels a picture pixel has.
export function fitted(canvas, widthPx, heightPx) {
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  canvas.height = Math.max(1, Math.round((canvas.clientWidth * devicePixelRatio * heightPx) / widthPx));
  return canvas.width / widthPx;
}

export function pathOf(outlines, scale) {
  const path = new Path2D();
  for (const line of outlines) {
    for (let i = 0; i < line.length; i += 2) {
      const x = (line[i] + 0.5) * scale;
      const y = (line[i + 1] + 0.5) * scale;
      if (i === 0) path.moveTo(x, y);
      else path.lineTo(x, y);
    }
    path.closePath();
  }
  return path;
}

export function stroke(pen, path, style, ratio) {
  pen.lineJoin = "round";
  pen.setLineDash([]);
  pen.strokeStyle = RIM;
  pen.lineWidth = (style.width + 1.6) * ratio;
  pen.stroke(path);
  pen.setLineDash(style.dash.map((d) => d * ratio));
  pen.strokeStyle = style.colour;
  pen.lineWidth = style.width * ratio;
  pen.stroke(path);
  pen.setLineDash([]);
}

export function boundsOf(outlines, scale) {
  let [x0, y0, x1, y1] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const line of outlines) {
    for (let i = 0; i < line.length; i += 2) {
      x0 = Math.min(x0, line[i]);
      x1 = Math.max(x1, line[i] + 1);
      y0 = Math.min(y0, line[i + 1]);
      y1 = Math.max(y1, line[i + 1] + 1);
    }
  }
  return [x0 * scale, y0 * scale, x1 * scale, y1 * scale];
}
