// The live view: the newest picture, with the labels of the scene that it shows, never of another.

import { writeKaryotype } from "./iscn.js";
import { drawLabels } from "./labels.js";

const OLD_MS = 800; // a state of the board that is older than this is not trusted
const RETRY_MS = 700;
const GONE_MS = 60_000; // a slow way may need half a minute for one picture, and says nothing else meanwhile

const $ = (id) => document.getElementById(id);

export class Live {
  constructor(onCase) {
    this.onCase = onCase;
    this.labels = null;
    this.guidance = null; // the advice that belongs to the newest labels; comes a moment after them
    this.scene = 0;
    this.fault = "Waiting for the board";
    this.echoed = -Infinity; // the board's newest state is from after this moment of our own clock
    this.drawn = -1;
    this.beside = null; // what the text beside the picture was last written from
    this.spots = new Map(); // where names stand in this scene
    this.owed = []; // pictures not reported as shown yet: the board sends no more until they are
    this.connect();
    setInterval(() => this.watch(), 100);
  }

  get capturable() {
    return this.labelsHold() && this.labels.count > 0;
  }

  connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.socket = new WebSocket(`${scheme}://${location.host}/live`);
    this.socket.binaryType = "arraybuffer";
    this.heard = performance.now();
    this.socket.onmessage = (event) => {
      this.heard = performance.now();
      if (typeof event.data === "string") this.told(JSON.parse(event.data));
      else this.picture(event.data);
    };
    this.socket.onclose = (event) => {
      this.echoed = -Infinity;
      this.labels = this.guidance = null; // a board that starts anew counts its scenes anew
      this.scene = 0;
      this.drawn = -1;
      this.owed = [];
      this.setFault(event.reason || "Connection to the board lost");
      setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // A board that lost its power says no goodbye: closing the socket here is what makes it connect again.
  watch() {
    if (performance.now() - this.heard > GONE_MS) this.socket.close();
    const why = this.old();
    if (why && Number.isFinite(this.echoed)) this.setFault(why);
  }

  // Why the newest state is too old, even if it has just come: a slow network delivers late what was sent long ago.
  old() {
    if (!Number.isFinite(this.echoed)) return "Waiting for the board";
    if (performance.now() - this.echoed <= OLD_MS) return "";
    const silent = performance.now() - this.heard > OLD_MS;
    return silent ? "Connection to the board lost: it is silent" : "Connection to the board is too slow";
  }

  told(message) {
    if (message.type === "state") this.state(message);
    else if (message.type === "labels") this.take(message);
    else if (message.type === "guidance") this.advise(message);
    else if (message.type === "case") this.onCase(message);
    else if (message.type === "ended") this.setFault("The run has ended");
  }

  async picture(buffer) {
    const head = new DataView(buffer);
    const index = head.getUint32(0, true);
    const scene = head.getUint32(4, true);
    try {
      const bitmap = await createImageBitmap(new Blob([new Uint8Array(buffer, 8)], { type: "image/jpeg" }));
      const canvas = $("frame");
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
        document.body.style.setProperty("--aspect", bitmap.width / bitmap.height);
      }
      canvas.getContext("bitmaprenderer").transferFromImageBitmap(bitmap); // hands it on as it is, without a copy
      this.scene = scene;
    } finally {
      this.owed.push(index);
      if (document.body.dataset.view === "live") this.back();
    }
  }

  // Called when the picture is in sight.
  back() {
    for (const index of this.owed.splice(0)) this.say({ shown: index });
    this.refresh();
  }

  state(message) {
    this.say({ now: performance.now() });
    if (message.echo !== null) this.echoed = message.echo;
    $("rates").textContent =
      `${message.frames_per_s.toFixed(1)} frames/s · ${message.labels_per_s.toFixed(1)} labels/s · ` +
      `${message.latency_ms} ms from capture to label` + (message.computed && ` · ${message.computed}`);
    const unkept = message.unkept ? `Nothing can be captured: ${message.unkept}` : "";
    if ($("unkept").textContent !== unkept) $("unkept").textContent = unkept;
    $("unkept").hidden = !unkept;
    if (message.scene !== this.scene) this.scene = 0; // the picture on the screen is no longer what is under the lens
    this.setFault(message.fault || this.old());
  }

  take(labels) {
    if (labels.scene !== this.labels?.scene) this.spots = new Map();
    this.labels = labels;
    this.refresh();
  }

  advise(guidance) {
    this.guidance = guidance;
    this.refresh();
  }

  labelsHold() {
    return !this.fault && this.labels !== null && this.scene !== 0 && this.labels.scene === this.scene;
  }

  setFault(fault) {
    $("board").textContent = this.old() && fault; // a silent board takes no edits; a camera's fault does not matter to them
    if (fault === this.fault) return;
    this.fault = fault;
    const told = $("fault");
    told.hidden = !fault;
    told.textContent = fault;
    $("live-picture").classList.toggle("faulty", Boolean(fault));
    this.refresh();
  }

  refresh() {
    const holds = this.labelsHold();
    this.write(holds);
    if (!holds || this.drawn === this.labels.frame) return;
    this.drawn = this.labels.frame;
    drawLabels($("overlay"), this.labels, this.spots);
    this.say({ drawn: this.labels.frame });
  }

  // Most pictures change nothing in the text beside them: writing that each time would lay out the page 30 times a second.
  write(holds) {
    const guided = holds && this.guidance?.scene === this.scene;
    const now = [this.fault, this.scene === 0, holds && this.labels, guided && this.guidance];
    if (this.beside?.every((value, k) => value === now[k])) return;
    this.beside = now;
    const overlay = $("overlay");
    overlay.classList.toggle("gone", !holds);
    overlay.dataset.labels = holds ? this.labels.chromosomes.length : 0;
    $("capture").disabled = !this.capturable;
    this.guide(guided);
    this.tell(holds);
  }

  guide(guided) {
    const { verdict, advice, crossing, sharpness, sharp_from, banding } = guided ? this.guidance : this.unguided();
    $("guidance").dataset.verdict = verdict;
    if ($("advice").textContent !== advice) $("advice").textContent = advice;
    $("crossing").textContent = guided && verdict !== "no metaphase" ? crossing : "–";
    $("sharpness").value = sharpness;
    if (guided) $("sharpness").low = sharp_from;
    $("sharpness").title = guided ? `${sharpness} per µm (sharp from ${sharp_from})` : "";
    $("banding").value = banding;
    $("banding").title = guided ? `${banding} (well banded from ${$("banding").low})` : "";
  }

  unguided() {
    const waiting = this.scene === 0 ? "Stage moves" : "Labelling";
    const [verdict, advice] = this.fault ? ["fault", "No live picture"] : ["moving", waiting];
    return { verdict, advice, sharpness: 0, banding: 0 };
  }

  tell(holds) {
    const some = holds && $("guidance").dataset.verdict !== "no metaphase";
    $("count").textContent = holds ? this.labels.count : "–";
    $("unsure").textContent = some ? this.labels.chromosomes.filter((c) => c.status === "review").length : "–";
    writeKaryotype($("live-karyotype"), some ? this.labels.karyotype : "–");
    const findings = some ? this.labels.findings : [];
    const list = $("live-findings");
    if (list.dataset.shown !== findings.join("\n")) {
      list.dataset.shown = findings.join("\n");
      list.replaceChildren(...findings.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    }
    const what = holds ? `${this.labels.count} chromosomes labelled` : $("advice").textContent;
    $("frame").setAttribute("aria-label", `Live picture: ${what}`);
  }
}
