// Which key does what, in either view.

import { typed } from "./typed.js";

const TOOLS = { n: "next", a: "accept-rest", u: "undo", r: "redo", f: "flip", s: "swap", j: "join", c: "cut", d: "draw", m: "marker", e: "derivative", delete: "exclude", t: "aside" };
const PRESSED = "a, summary, button:not(.chromosome)"; // on these Enter and Space press the control itself
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// On a keyboard with other letters a key counts by its place, and so does a digit that takes Shift there.
function keyOf({ key, code, shiftKey }) {
  if (/^Digit[0-9]$/.test(code) && !shiftKey) return code[5];
  const latin = /^Key[A-Z]$/.test(code) && key.length === 1 && key > "~";
  return (latin ? code[3] : key).toLowerCase();
}

// Of `page`: act(tool), capture(), space() in the karyogram, enter(), escape(), openKaryogram(), turnPage(forward),
// nextWaiting(), step(right, down), resolution(), enlarge() and live().
export function listen(page) {
  const help = document.getElementById("help");

  function inKaryogram(event) {
    const key = keyOf(event);
    const pressed = event.target.closest(PRESSED) !== null;
    if (ARROWS[event.key]) typed.clear(), page.step(...ARROWS[event.key]);
    else if (/^page(up|down)$/.test(key) && event.target.id !== "findings") page.turnPage(key === "pagedown");
    else if (/^[0-9xy]$/.test(key)) typed.add(key);
    else if (key === "backspace") typed.clear();
    else if (key === "enter" && !pressed) page.enter();
    else if (key === " " && !pressed) page.space();
    else if (key === "w") page.nextWaiting();
    else if (key === "b") page.resolution();
    else if (key === "p") page.enlarge();
    else if (TOOLS[key]) typed.clear(), page.act(TOOLS[key]);
    else if (key === "escape") page.escape();
    else if (key === "l") page.live();
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, dialog[open]");
    const karyogram = document.body.dataset.view === "karyogram";
    if ((event.ctrlKey || event.metaKey) && karyogram && !typing && ["z", "y"].includes(keyOf(event))) {
      event.preventDefault();
      return page.act(keyOf(event) === "y" || event.shiftKey ? "redo" : "undo");
    }
    if (typing || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.repeat && !ARROWS[event.key] && event.key !== "Backspace") { // a key held down is meant once
      if (["Enter", " "].includes(event.key)) event.preventDefault(); // they also press what has the focus
      return;
    }
    if (event.key === "?") return help.showModal();
    if (karyogram) return inKaryogram(event);
    const onButton = event.target.closest("button") !== null && event.target.id !== "to-live";
    if (event.key === " " && !onButton) event.preventDefault(), page.capture();
    else if (keyOf(event) === "k") page.openKaryogram();
  });
}
