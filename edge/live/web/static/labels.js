// Outlines and names on a canvas. Sure, likely and to review differ in colour, in line and in a question mark.

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

// Draws labels = {width_px, height_px, chromosomes} over the whole canvas, at the screen's own resolution.
export function drawLabels(canvas, labels) {
  const scale = fitted(canvas, labels.width_px, labels.height_px);
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  const boxes = [];
  for (const chromosome of labels.chromosomes) {
    const style = STYLES[certainty(chromosome)];
    const path = pathOf(chromosome.outlines, scale);
    stroke(pen, path, style, devicePixelRatio);
    boxes.push(boundsOf(chromosome.outlines, scale));
  }
  const size = Math.max(13, Math.min(20, canvas.width / devicePixelRatio / 48)) * devicePixelRatio;
  pen.font = `600 ${size}px system-ui, sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.lineJoin = "round";
  const taken = [];
  labels.chromosomes.forEach((chromosome, k) => {
    const text = chromosome.label + (chromosome.status === "review" ? "?" : "");
    const [x, y] = freeSpot(boxes[k], pen.measureText(text).width + 4, size, taken, boxes, k, canvas);
    pen.lineWidth = size / 4;
    pen.strokeStyle = RIM;
    pen.strokeText(text, x, y);
    pen.fillStyle = chromosome.status === "review" ? STYLES.review.colour : "#ffffff";
    pen.fillText(text, x, y);
  });
}

// The canvas gets the screen's pixels for a picture of that shape; returns canvas pixels a picture pixel.
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

function freeSpot([x0, y0, x1, y1], w, h, taken, boxes, own, canvas) {
  const [mx, my, gap] = [(x0 + x1) / 2, (y0 + y1) / 2, 3];
  const spots = [
    [mx, y0 - h / 2 - gap], [mx, y1 + h / 2 + gap], [x1 + w / 2 + gap, my], [x0 - w / 2 - gap, my],
    [x1 + w / 2, y0], [x0 - w / 2, y0], [x1 + w / 2, y1], [x0 - w / 2, y1], [mx, my],
  ];
  let best = spots[0];
  let least = Infinity;
  for (const [x, y] of spots) {
    const rect = [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
    let cost = 0;
    for (const other of taken) cost += 8 * shared(rect, other);
    boxes.forEach((box, k) => (cost += (k === own ? 0.3 : 1) * shared(rect, box)));
    if (rect[0] < 0 || rect[1] < 0 || rect[2] > canvas.width || rect[3] > canvas.height) cost += 20 * w * h;
    if (cost < least) [best, least] = [[x, y], cost];
    if (cost === 0) break;
  }
  taken.push([best[0] - w / 2, best[1] - h / 2, best[0] + w / 2, best[1] + h / 2]);
  return best;
}

function shared(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return w > 0 && h > 0 ? w * h : 0;
}
