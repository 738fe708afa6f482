// The page: two views, the keyboard, and every edit's way to the server and back.

import { actor, api } from "./api.js";
import { Aside } from "./aside.js";
import { isSame, offerCases, offerExports, showCase, unopened } from "./case.js";
import { Karyogram, settled, withArticle } from "./karyogram.js";
import { listen } from "./keys.js";
import { Live } from "./live.js";
import { neighbour, nextWaiting } from "./order.js";
import { Picture } from "./picture.js";
import { Queue } from "./queue.js";
import { say, sayDone, tellsOfChange } from "./said.js";
import { Selected } from "./selected.js";
import { toolsOf } from "./tools.js";
import { typed } from "./typed.js";
import { showVerdict, tellWhere } from "./verdict.js";

const MAKING = ["split", "join", "draw"];
const AGAIN_MS = 2000; // after a case that did not come

const $ = (id) => document.getElementById(id);

let cell = null;
let head = -1;
let caseName = ""; // of the open one
let cells = []; // the cells of the case, as last heard, in the order of their capture
let asked = 0; // how often the case was asked for
let heard = 0; // the latest of these requests that was answered
let elsewhere = ""; // the open case, if another page or midnight opened it and nobody here has agreed to it yet
let opening = ""; // the case that this page asks to open
let capturing = false;
let entering = false;

actor.load();
const queue = new Queue(say, refused);
const queued = (work) => queue.ask(work);
const live = new Live((now) => (now.head !== head || now.name !== caseName) && refreshCase());
const karyogram = new Karyogram($("rows"), {
  onSelect: (chromosome) => (picture.show(cell, chromosome?.id ?? null), selected.show(cell, chromosome)),
  onMove: (id, place, seen) => moveTo(id, place, seen),
  onSwap: (first, second, seen) => edit({ edit: "swap", first, second }, "Swapped", seen),
});
const picture = new Picture($("cell-frame"), {
  onPick: (id) => karyogram.select(id),
  onLine: (tool, line) => drawn(tool, line),
  onCancel: () => (say("Nothing changed"), focusSelected()),
});

const selected = new Selected($("selected"), (id, label) => moveTo(id, label));
const aside = new Aside(edit);
offerExports(say, () => keysToView(), () => queued(() => true)); // after what was asked before: the file holds that
offerCases((name) =>
  queued(async () => {
    opening = name;
    try {
      await api.open(name);
      await refreshCase();
    } finally {
      opening = "";
    }
    view("live");
    say(cells.length ? `Case ${name} is open` : `Case ${name} is open; it has no cell yet`);
  }),
);

// Views

function view(name) {
  say(picture.tool || karyogram.held ? "Nothing changed" : ""); // what was said is of the view that is left
  if (picture.tool) picture.stop();
  karyogram.hold(null);
  document.body.dataset.view = name;
  for (const other of ["live", "karyogram"]) {
    $(other).hidden = name !== other;
    if (other === name) $(`to-${other}`).setAttribute("aria-current", "page");
    else $(`to-${other}`).removeAttribute("aria-current");
  }
  typed.clear();
  if (name === "karyogram") {
    karyogram.fit();
    picture.draw();
  } else {
    live.drawn = -1;
    live.back();
  }
  keysToView();
}

function keysToView() {
  if (document.body.dataset.view === "live") $("to-live").focus();
  else focusSelected();
}

function focusSelected() {
  karyogram.button(karyogram.selected)?.focus();
}

async function refreshCase() {
  const turn = ++asked;
  const now = await api.case().catch((error) => say(error.message));
  if (!now && turn === asked) setTimeout(refreshCase, AGAIN_MS); // else its tally would stand until the next change
  if (!now || turn < heard) return; // what was asked later was answered sooner, and is newer
  heard = turn;
  if (caseName && now.name !== caseName) {
    elsewhere = isSame(now.name, opening) ? "" : now.name;
    say(`Case ${now.name} is open now, no longer ${caseName}`);
  }
  head = now.head;
  caseName = now.name;
  cells = now.cells;
  $("to-karyogram").disabled = cells.length === 0;
  showCase(now, (id) => queued(() => openCell(id)));
  if (cell) tellWhere(cell, caseName);
  if (cell) queued(refresh);
}

// What others did to the cell since.
async function refresh() {
  const { id } = cell;
  const { selected } = karyogram;
  const now = await api.cell(id);
  if (cell.id !== id) return;
  const changed = now.revision !== cell.revision;
  if (["revision", "can_undo", "can_redo", "seen"].some((what) => now[what] !== cell[what])) show(now);
  if (selected !== null && karyogram.selected !== selected && !karyogram.chromosome(selected)) {
    say("Somebody changed the chromosome that was selected; another one is selected now");
  } else if (changed && tellsOfChange()) {
    say("Somebody changed this cell since"); // what was said of it may hold no longer
  }
}

function openKaryogram() {
  queued(() => {
    if (cell?.case === caseName) view("karyogram");
    else if (cells.length) return openCell(cells.at(-1).id);
    else say(heard ? "The case has no cell yet: Space captures one" : "The case is still being read");
  });
}

async function openCell(id) {
  const opened = await api.cell(id);
  if (picture.tool) picture.stop();
  karyogram.leave();
  show(opened);
  view("karyogram");
  say("");
}

// Opens the cell of the case that `find` gives, or says that there is `none`.
function another(find, none) {
  queued(async () => {
    if (cell.case !== caseName) return say(`Case ${caseName} is open; this cell is of case ${cell.case}`);
    const other = find();
    if (!other) return say(none);
    await openCell(other.id);
  });
}

function turnPage(forward) {
  another(() => neighbour(cells, cell, forward), `This is the ${forward ? "last" : "first"} cell of the case`);
}

function show(newCell) {
  if (cell && newCell.id === cell.id && newCell.revision < cell.revision) return;
  if (newCell.id !== cell?.id) karyogram.leave();
  cell = newCell;
  showVerdict(cell);
  tellWhere(cell, caseName);
  aside.show(cell);
  karyogram.show(cell);
}

// A refusal that is due to a cell's present state brings that cell: it is shown, and K opens it.
async function refused(error) {
  if (error.cell) show(await api.cell(error.cell.id).catch(() => error.cell));
  say(error.message);
}

// A key may be faster than the cell that was asked for: what was meant for the cell before is not done to the next.
function onThis(work) {
  const { id } = cell;
  karyogram.hold(null); // whoever begins a swap and then does something else means no swap any more
  return queue.save(() => (cell.id === id ? work() : say("Nothing changed: the key was meant for the cell before")));
}

// ``seen`` is the cell that the person saw, where it is not the newest.
function edit(change, done = "", seen = null) {
  return onThis(async () => {
    const before = new Set(cell.chromosomes.map((c) => c.id));
    const after = await api.edit(seen ?? cell, change);
    const made = MAKING.includes(change.edit) ? after.chromosomes.filter((c) => !before.has(c.id)).map((c) => c.id) : [];
    if (made.length) karyogram.selected = Math.max(...made);
    show(after);
    sayDone(done);
    return true;
  });
}

function moveTo(id, place, seen = null) {
  const chromosome = karyogram.chromosome(id);
  if (settled(chromosome, place)) return say("Nothing changed: it is there already"), queue.last;
  if (place === "removed") return edit({ edit: "exclude", chromosome: id }, "Removed", seen);
  if (place === "marker") return edit({ edit: "mark", chromosome: id, kind: "marker" }, "Marked as a marker", seen);
  const done = chromosome.label === place ? `It is ${withArticle(place)}` : `${chromosome.label} is now ${place}`;
  return edit({ edit: "relabel", chromosome: id, label: place }, done, seen);
}

const { act, drawn, next } = toolsOf({
  karyogram,
  picture,
  aside,
  cell: () => cell,
  edit,
  undo: () => onThis(async () => (show(await api.undo(cell)), sayDone("Undone"))),
  redo: () => onThis(async () => (show(await api.redo(cell)), sayDone("Done again"))),
  escape,
  focusSelected,
  say,
});

// What keys and buttons start

function capture() {
  if (capturing) return; // a second press means the same cell
  if (unopened()) {
    $("case-name").focus();
    return say(`Nothing captured: case ${unopened()} is not open; Enter opens it, Escape forgets it`);
  }
  if (!live.capturable) return say("Nothing to capture: wait for the labels of a metaphase");
  if (elsewhere) {
    say(`Nothing captured: case ${elsewhere} is open now, but it was not opened here; capture again to use it`);
    elsewhere = "";
    return;
  }
  const { scene } = live.labels;
  const shown = caseName; // another may be open when its turn comes
  capturing = true;
  say("Reading the cell thoroughly");
  const reading = async () => {
    if (!caseName) await refreshCase(); // a key may be faster than what the page asks first
    show(await api.capture(shown || caseName, scene));
    view("karyogram");
    say("");
  };
  queue.save(reading, "Still reading the cell").finally(() => (capturing = false));
}

// Until the last Enter is answered its chromosome is still selected: what is typed now is meant for the next one, and is
// not done. After a refusal the chromosome stays selected, and the same keys again are meant for it.
function enter() {
  const chromosome = karyogram.chromosome();
  if (!chromosome) return;
  const { label, text } = typed;
  typed.clear();
  if (text && !label) return say(`Nothing changed: no chromosome is ${text}; type 1 to 22, X or Y`);
  if (entering) return say("Nothing changed: the last Enter is not answered yet");
  if (settled(chromosome, label || undefined)) return next();
  const change = label ? { edit: "relabel", chromosome: chromosome.id, label } : { edit: "accept", chromosomes: [chromosome.id] };
  entering = true;
  edit(change, label ? `It is ${withArticle(label)}` : "Accepted").then((done) => {
    entering = false;
    if (done && karyogram.selected === chromosome.id) next(); // else another was chosen meanwhile
  });
}

function escape() {
  if (typed.text) typed.clear();
  else if (picture.tool) picture.stop(), focusSelected(), say("Nothing changed");
  else if (document.body.classList.contains("large-picture")) picture.enlarge(false);
  else if (karyogram.held) karyogram.hold(null);
  else view("live");
}

listen({
  act,
  capture,
  space: () => say("Space captures in the live view: L"),
  enter,
  escape,
  openKaryogram,
  turnPage,
  nextWaiting: () => another(() => nextWaiting(cells, cell), "No other cell waits for review"),
  step: (right, down) => karyogram.step(right, down),
  resolution: () => selected.nextResolution(),
  enlarge: () => picture.turnSize(),
  live: () => view("live"),
});
$("capture").addEventListener("click", capture);
$("cancel").addEventListener("click", escape);
$("enlarge").addEventListener("click", ({ detail: byPointer }) => {
  if (byPointer) focusSelected(); // the next Enter is meant for the chromosome
  picture.turnSize();
});
$("to-live").addEventListener("click", () => view("live"));
$("to-karyogram").addEventListener("click", openKaryogram);
$("help-open").addEventListener("click", ({ detail: byPointer }) => {
  if (byPointer) keysToView(); // the next Enter is meant for the chromosome, the next Space for what is under the lens
  $("help").showModal();
});
$("actor").addEventListener("change", () => cell && queued(refresh));
refreshCase();
