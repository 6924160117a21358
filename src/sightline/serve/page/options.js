// How the next photos are captioned, and the leaf it stands on.

function number(id, otherwise) {
  const field = document.getElementById(id);
  return field.value !== "" && field.checkValidity() ? Number(field.value) : otherwise;
}

export function options() {
  return {beam_size: number("beam-size", 3), length_penalty: number("length-penalty", 1)};
}

// The leaf closes like a menu.
export function foldAway(leaf) {
  addEventListener("click", event => {
    if (!leaf.contains(event.target)) leaf.open = false;
  });
  leaf.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    leaf.open = false;
    leaf.querySelector("summary").focus();
  });
}
