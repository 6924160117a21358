// The site's large files: from this browser's store, or downloaded once and then kept there for use without a network.

import {CACHE} from "./site.js";

// The file's bytes; `onBytes` is told of each piece as it comes.
export async function stored(name, onBytes) {
  const url = new URL(name, import.meta.url).href;
  // Browsers keep files for secure pages alone, and not for all windows.
  const store = await globalThis.caches?.open(CACHE).catch(() => null);
  const kept = await store?.match(url);
  const answer = kept ?? await fetch(url);
  if (!answer.ok) throw new Error(`${name}: not on the server (${answer.status})`);
  const bytes = await gather(answer.body, onBytes);
  if (!kept) await store?.put(url, new Response(bytes, {headers: answer.headers})).catch(() => {});
  return bytes;
}

async function gather(stream, onBytes) {
  const pieces = [], reader = stream.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    onBytes(piece.value.length);
  }
  return new Blob(pieces).arrayBuffer();
}
