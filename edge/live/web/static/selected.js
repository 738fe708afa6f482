// The selected chromosome, large: what it may be, and its bands on demand.

import { api } from "./api.js";
import { RESOLUTIONS, bandsOf, ideogram } from "./ideogram.js";
import { percent, withArticle } from "./karyogram.js";

const HEIGHT_PX = 146;

export class Selected {
  constructor(panel, onRelabel) {
    this.panel = panel;
    this.onRelabel = onRelabel;
    this.cell = null;
    this.chromosome = null;
    this.resolution = 0;
  }

  async show(cell, chromosome) {
    this.cell = cell;
    this.chromosome = chromosome;
    if (!chromosome) return this.panel.replaceChildren();
    const paper = made("div", "paper");
    paper.append(this.cutout());
    const beside = made("div", "beside");
    beside.append(paper);
    const held = this.buttons().findIndex((button) => button.matches(":focus-visible"));
    this.panel.replaceChildren(this.about(), beside);
    this.buttons()[held]?.focus({ preventScroll: true }); // the keyboard stays where it was
    // After the chromosome itself: a board that does not answer must not leave another one standing here.
    if (this.resolution) {
      const drawn = bandsOf(this.resolution, chromosome.label).then((table) => ideogram(chromosome.label, table, HEIGHT_PX));
      beside.append(await drawn.catch((error) => made("p", "from", error.message)));
    }
  }

  buttons() {
    return [...this.panel.querySelectorAll("button")];
  }

  nextResolution() {
    this.resolution = RESOLUTIONS[(RESOLUTIONS.indexOf(this.resolution) + 1) % RESOLUTIONS.length];
    this.show(this.cell, this.chromosome);
  }

  about() {
    const { kind, label, excluded, confidence, status } = this.chromosome;
    const bands = made("button", "", `Bands ${this.resolution || ""} `);
    bands.type = "button";
    bands.id = "bands";
    bands.append(made("kbd", "", "B"));
    bands.addEventListener("click", () => this.nextResolution());
    const heading = made("div", "heading");
    heading.append(made("p", "name", kind === "marker" ? "Marker" : `${kind === "derivative" ? "der " : ""}${label}`), bands);
    const sure = excluded ? "removed" : `${percent(confidence)} · ${status === "review" ? "to review" : "accepted"}`;
    const about = made("div", "about");
    const from = made("p", "from", "Likeliest by its looks alone");
    about.append(heading, made("p", "", sure), from, this.candidates(), made("p", "from", "Another one? Type its number"));
    return about;
  }

  candidates() {
    const likely = made("ul", "candidates");
    likely.setAttribute("aria-label", "Two likeliest classes");
    for (const [label, share] of this.chromosome.candidates) {
      const choose = made("button", "", `${label}  ${percent(share)}`);
      choose.type = "button";
      choose.style.setProperty("--share", `${Math.round(share * 100)}%`);
      choose.title = `It is ${withArticle(label)}`;
      const { id } = this.chromosome;
      choose.addEventListener("click", () => this.onRelabel(id, label));
      const entry = document.createElement("li");
      entry.append(choose);
      likely.append(entry);
    }
    return likely;
  }

  cutout() {
    const { label, p_arm_up: up, size_px: size } = this.chromosome;
    const large = new Image();
    large.draggable = false; // the small one is what can be moved
    large.src = api.cutout(this.cell, this.chromosome);
    large.alt = `Cut-out of chromosome ${label}`;
    large.className = up ? "" : "upside-down";
    large.height = HEIGHT_PX;
    large.width = Math.round((HEIGHT_PX * size[0]) / size[1]);
    return large;
  }
}

function made(tag, className, text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}
