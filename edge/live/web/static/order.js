// Which cell of a case comes after another; `cells` are in the order of their capture.

export function neighbour(cells, cell, forward) {
  const others = cells.filter((c) => (forward ? c.number > cell.number : c.number < cell.number));
  return others.at(forward ? 0 : -1);
}

// Round all that wait for review: the one after this, or the first.
export function nextWaiting(cells, cell) {
  const others = cells.filter((c) => !c.reviewed && !c.set_aside && c.id !== cell.id);
  return others.find((c) => c.number > cell.number) ?? others[0];
}
