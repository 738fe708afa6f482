// Setting a cell aside for a reason, and taking it back. A cell that is set aside is kept, but not counted in its case.

const $ = (id) => document.getElementById(id);

export class Aside {
  constructor(edit) {
    this.edit = edit;
    this.dialog = $("aside");
    // By what is submitted: "close" waits for the next drawing, and that of an Escape before would be heard as well.
    this.dialog.addEventListener("submit", ({ submitter }) => {
      const reason = $("aside-reason").value.trim();
      if (submitter.value === "set" && reason) edit({ edit: "set_aside", reason }, "Set aside");
    });
  }

  show(cell) {
    if (cell.id !== this.id) this.dialog.close(); // it asked about the cell before
    this.id = cell.id;
    $("aside-why").hidden = !cell.set_aside;
    $("aside-why").textContent = `Set aside: ${cell.set_aside}`;
    $("aside-tool").textContent = cell.set_aside ? "Take back" : "Set aside";
  }

  toggle(cell) {
    if (cell.set_aside) return this.edit({ edit: "take_back" }, "Taken back");
    $("aside-reason").value = "";
    this.dialog.showModal();
  }
}
