// The tools: what each key and button of the karyogram does to the open cell.

const OF_ONE = ["flip", "swap", "join", "cut", "marker", "derivative", "exclude"]; // a cell may have no chromosome at all

// act(name), drawn(tool, line) for what was drawn in the picture, and next(). Of `page`: karyogram, picture, aside; cell() as
// it is now; edit(change, done), undo(), redo(), escape(), focusSelected() and say(text).
export function toolsOf(page) {
  const { karyogram, picture, edit, say } = page;

  // Goes round all that wait for review: to the one after the selected, or to the first.
  function next() {
    const { unsure_ids: waiting, reviewed } = page.cell();
    const other = waiting[(waiting.indexOf(karyogram.selected) + 1) % waiting.length];
    if (other === undefined) say(reviewed ? "All reviewed" : "Nothing uncertain: A accepts the cell");
    else if (other !== karyogram.selected) karyogram.select(other, { typing: true }); // what is typed already is for it
  }

  // Accepts what waits, or the cell as a whole; also a reviewed one, by a person who has not seen it yet.
  function acceptRest() {
    const cell = page.cell();
    if (cell.reviewed && cell.seen) return say("Nothing changed: it is reviewed, and you have seen it");
    const counted = cell.chromosomes.filter((c) => !c.excluded).map((c) => c.id);
    const ids = cell.unsure ? cell.unsure_ids : counted;
    if (ids.length) edit({ edit: "accept", chromosomes: ids }, cell.reviewed ? "Seen by you, too" : "All accepted");
  }

  function pair(why, apply) {
    const id = karyogram.selected;
    if (karyogram.held && karyogram.held.why === why && karyogram.held.id !== id) {
      const first = karyogram.held.id;
      karyogram.hold(null);
      apply(first, id);
    } else if (karyogram.held) {
      karyogram.hold(null);
      say("Nothing changed");
    } else {
      karyogram.hold(id, why);
      say(`${why} with: choose the other one, then press ${why[0]} again`);
    }
  }

  function draw(tool, how) {
    if (picture.tool === tool) return page.escape(); // who has no keyboard presses the same button again
    picture.start(tool);
    say(how);
  }

  function drawn(tool, line) {
    page.focusSelected();
    if (tool === "cut") edit({ edit: "split", chromosome: karyogram.selected, line }, "Cut in two");
    else edit({ edit: "draw", line }, "Added");
  }

  function toggleMark(kind) {
    const { id, kind: before } = karyogram.chromosome();
    const whole = before === kind;
    edit({ edit: "mark", chromosome: id, kind: whole ? "whole" : kind }, whole ? `No ${kind} any more` : `Marked as a ${kind}`);
  }

  function exclude() {
    const { id, excluded } = karyogram.chromosome();
    edit({ edit: excluded ? "restore" : "exclude", chromosome: id }, excluded ? "Back again" : "Removed");
  }

  const DO = {
    next,
    "accept-rest": acceptRest,
    undo: page.undo,
    redo: page.redo,
    flip: () => edit({ edit: "flip", chromosome: karyogram.selected }, "Turned"),
    swap: () => pair("Swap", (first, second) => edit({ edit: "swap", first, second }, "Swapped")),
    join: () => pair("Join", (first, second) => edit({ edit: "join", chromosomes: [first, second] }, "Joined")),
    cut: () => draw("cut", "Draw a line right across it in the picture; Esc cancels"),
    draw: () => draw("draw", "Draw along the middle of the missed one, end to end; Esc cancels"),
    marker: () => toggleMark("marker"),
    derivative: () => toggleMark("derivative"),
    exclude,
    aside: () => page.aside.toggle(page.cell()),
  };

  function act(name) {
    if (OF_ONE.includes(name) && !karyogram.chromosome()) return say("There is no chromosome in this cell: draw one, D");
    DO[name]();
  }

  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => {
      page.focusSelected(); // first, so that a dialog gives the focus back to it
      act(button.dataset.do);
    });
  }
  return { act, drawn, next };
}
