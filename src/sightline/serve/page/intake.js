// Photos that are chosen, dropped anywhere on the page, or pasted.

const images = list => [...list].filter(item => item.kind === undefined || item.kind === "file")
  .map(item => item.getAsFile ? item.getAsFile() : item).filter(Boolean);

export function takeIn(zone, button, input, add) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(images(input.files));
    input.value = "";  // the same file may be chosen again
  });

  addEventListener("paste", event => {
    const files = images(event.clipboardData?.items ?? []);
    if (!files.length) return;
    event.preventDefault();
    add(files);
  });

  // A file dropped beside the zone would replace the page.
  const holdsFiles = event => event.dataTransfer?.types.includes("Files");
  let depth = 0;  // elements entered and not left
  const over = change => zone.classList.toggle("over", (depth = Math.max(depth + change, 0)) > 0);
  addEventListener("dragenter", event => { if (holdsFiles(event)) over(1); });
  addEventListener("dragleave", event => { if (holdsFiles(event)) over(-1); });
  addEventListener("dragover", event => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
  });
  addEventListener("drop", event => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    over(-depth);
    add(images(event.dataTransfer.files));
  });
}
