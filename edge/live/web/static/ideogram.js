// The selected chromosome beside the drawn bands of its class, both p arm up and equally long.

import { api } from "./api.js";

const NS = "http://www.w3.org/2000/svg";
const GREY = { gneg: 0.93, gvar: 0.45, stalk: 0.7, acen: 0.55 };
export const RESOLUTIONS = [400, 550, 850, 0];
const tables = new Map();

export async function bandsOf(resolution, label) {
  if (!tables.has(resolution)) {
    const asked = api.bands(resolution);
    tables.set(resolution, asked);
    asked.catch(() => tables.delete(resolution)); // it may come the next time
  }
  return (await tables.get(resolution))[label];
}

export function ideogram(label, { bands, centromere }, heightPx) {
  const length = bands[bands.length - 1][2];
  const width = Math.max(16, heightPx / 9);
  const [left, right] = [2, width + 2];
  const y = (at) => (at / length) * (heightPx - 4) + 2;
  const svg = element("svg", { width: width + 78, height: heightPx, role: "img", "aria-label": `Bands of chromosome ${label}` });
  const waist = y(centromere);
  let last = -20;
  for (const [name, start, stop, stain, density] of bands) {
    const grey = stain === "gpos" ? 0.85 - (0.75 * density) / 100 : GREY[stain];
    const fill = `hsl(40 6% ${Math.round(grey * 78)}%)`;
    const squeeze = stain === "acen" ? width / 4 : 0;
    svg.append(element("rect", { x: left + squeeze, y: y(start), width: width - 2 * squeeze, height: Math.max(0.6, y(stop) - y(start)), fill }));
    const middle = (y(start) + y(stop)) / 2;
    if (stain === "gpos" && density >= 75 && middle - last > 12) {
      last = middle;
      const text = element("text", { x: right + 6, y: middle + 4 });
      text.textContent = name;
      svg.append(text);
    }
  }
  svg.append(element("line", { x1: left - 2, x2: right + 2, y1: waist, y2: waist, class: "centromere" }));
  return svg;
}

function element(name, attributes) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
