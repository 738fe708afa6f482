// The line that says what was just done here, or why not.

const LINES = ["said", "live-said"];

let doneLast = ""; // what was said of the last change made here

export function say(text) {
  for (const id of LINES) document.getElementById(id).textContent = text;
}

export function sayDone(text) {
  doneLast = text;
  say(text);
}

// Whether the line still tells of a change, which somebody else may have undone since.
export function tellsOfChange() {
  return doneLast !== "" && document.getElementById(LINES[0]).textContent === doneLast;
}
