// Photos that are chosen, dropped anywhere on the page, or pasted.

const images = list => [...list].filter(item => item.kind === undefined || item.kind === "file")
  .map(item => item.getAsFile ? item.getAsFile() : item).filter(Boolean);

const LINK = "That is a link, not a photo: save the photo on this device first, then add the file.";
const isLink = data => data?.types.includes("text/uri-list");

// `add` takes files, `refuse` why something else cannot be added.
export function takeIn(zone, button, input, add, refuse) {
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    add(images(input.files));
    input.value = "";  // the same file may be chosen again
  });

  addEventListener("paste", event => {
    const files = images(event.clipboardData?.items ?? []);
    if (files.length) {
      event.preventDefault();
      add(files);
    } else if (!event.target.closest?.("input") && /^https?:\S+$/.test(event.clipboardData?.getData("text").trim())) {
      refuse(LINK);
    }
  });

  // A file or a link dropped beside the zone would replace the page.
  const holdsFiles = event => event.dataTransfer?.types.includes("Files") || isLink(event.dataTransfer);
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
    const files = images(event.dataTransfer.files);
    if (files.length) add(files);
    else refuse(LINK);
  });
}
