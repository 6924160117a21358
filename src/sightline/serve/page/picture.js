// A photo on the page as its file has it, upright; the browser decodes it, and may let it go when it is out of sight.

import {isTurnedWebp, uprightCanvas} from "./decode.js";

// Puts the picture into `view`; returns what takes it away again.
export function showPicture(file, view) {
  const image = view.querySelector("img");
  let url = null;
  place().catch(() => view.classList.add("blank"));  // what this browser cannot show, a server may still caption
  return () => URL.revokeObjectURL(url);

  async function place() {
    url = URL.createObjectURL(await showable(file));
    image.src = url;
    await image.decode();
    view.style.setProperty("--aspect", image.naturalWidth / image.naturalHeight);
  }
}

async function showable(file) {
  return file.type === "image/webp" && await isTurnedWebp(file) ? (await uprightCanvas(file)).convertToBlob() : file;
}
