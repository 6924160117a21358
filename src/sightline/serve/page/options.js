// How the next photos are captioned, and the leaf it stands on.

// A field's number, within its bounds; the field shows what counts.
function number(id) {
  const field = document.getElementById(id), wanted = field.value === "" ? NaN : Number(field.value);
  const {min, max, step, defaultValue} = field, whole = Number(step) === 1;
  const within = Math.min(Math.max(wanted, Number(min)), Number(max));
  field.value = Number.isNaN(wanted) ? defaultValue : whole ? Math.round(within) : within;
  return Number(field.value);
}

export function options() {
  return {beam_size: number("beam-size"), length_penalty: number("length-penalty")};
}

// The leaf closes like a menu.
export function foldAway(leaf) {
  leaf.addEventListener("change", options);
  addEventListener("click", event => {
    if (!leaf.contains(event.target)) leaf.open = false;
  });
  leaf.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    leaf.open = false;
    leaf.querySelector("summary").focus();
  });
}
