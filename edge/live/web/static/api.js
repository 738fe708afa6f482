// Asking the server. Every answer is JSON; a refusal becomes an Error with the server's own words.

const ACTOR_KEY = "chromo-actor";
const ANSWER_MS = 20_000;
const READING_MS = 120_000; // for a cell's five readings on a small board
const EXPORT_MS = 1_800_000;

export const actor = {
  get name() {
    return (document.getElementById("actor").value || "technician").trim() || "technician";
  },
  load() {
    const field = document.getElementById("actor");
    field.value = sessionStorage.getItem(ACTOR_KEY) || localStorage.getItem(ACTOR_KEY) || "technician"; // two tabs may be two people
    field.addEventListener("keydown", ({ key }) => ["Enter", "Escape"].includes(key) && field.blur());
    field.addEventListener("change", () => [localStorage, sessionStorage].forEach((place) => place.setItem(ACTOR_KEY, actor.name)));
  },
};

// When a board is silent nobody knows whether it did what it was asked to.
async function ask(address, options, within_ms = ANSWER_MS, read = (answer) => answer.json()) {
  let answer, said;
  try {
    answer = await fetch(address, { ...options, signal: AbortSignal.timeout(within_ms) });
    said = await (answer.ok ? read(answer) : answer.json().catch(() => ({ error: `the board answered ${answer.status}` })));
  } catch {
    const why = `the board does not answer${options ? "; look whether it was done before you repeat it" : ""}`;
    throw Object.assign(new Error(why), { silent: Boolean(options) });
  }
  if (!answer.ok) throw Object.assign(new Error(said.error), { cell: said.cell });
  return said;
}

function posting(body) {
  const headers = { "Content-Type": "application/json" };
  return { method: "POST", headers, body: JSON.stringify({ actor: actor.name, ...body }) };
}

function post(address, body, within_ms) {
  return ask(address, posting(body), within_ms);
}

export const api = {
  case: () => ask("/api/case"),
  cell: (id) => ask(`/api/cells/${id}?actor=${encodeURIComponent(actor.name)}`),
  open: (name) => post("/api/case/open", { name }, READING_MS), // after a capture that another page waits for
  export: (form, shown) => ask("/api/case/export", posting({ form, case: shown }), EXPORT_MS, (answer) => answer.blob()),
  capture: (shown, scene) => post("/api/capture", { case: shown, scene }, READING_MS),
  edit: (seen, change) => post(`/api/cells/${seen.id}/edit`, { based_on: seen.revision, change }),
  undo: (cell) => post(`/api/cells/${cell.id}/undo`, { based_on: cell.revision }),
  redo: (cell) => post(`/api/cells/${cell.id}/redo`, { based_on: cell.revision }),
  bands: (resolution) => ask(`/api/bands/${resolution}`),
  // Browsers keep pictures for good, and another store may have a cell of that number: the time of capture differs.
  cutout: (cell, chromosome) => `/api/cells/${cell.id}/cutouts/${chromosome.id}.png?of=${encodeURIComponent(cell.captured_utc)}`,
  picture: (cell) => `/api/cells/${cell.id}/picture.png?of=${encodeURIComponent(cell.captured_utc)}`,
};
