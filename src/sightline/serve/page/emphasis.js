// How strongly to show each cell for each word: Python's `explain.emphasis`, as two hexadecimal digits a cell.

const FULL_AT_LEAST = __ATTENTION__, FULL_EVIDENCE = __EVIDENCE__;

// grid: one word's attention, rows of cells.
export function byAttention(grid) {
  const cells = grid.flat();
  return digits(cells, FULL_AT_LEAST / cells.length);
}

export function byEvidence(grid) {
  return digits(grid.flat().map(value => Math.max(value, 0)), FULL_EVIDENCE);
}

function digits(cells, fullAtLeast) {
  const full = Math.max(...cells, fullAtLeast);
  return cells.map(value => Math.round(255 * value / full).toString(16).padStart(2, "0")).join("");
}
