// The site's large files: from this browser's store, or downloaded once and then kept there for use without a network.

import {CACHE} from "./site.js";

// {bytes, kept: whether they are in the store}; `onBytes` is told of each piece as it comes.
export async function stored(name, onBytes) {
  const url = new URL(name, import.meta.url).href;
  // Browsers keep files for secure pages alone, and not for all windows.
  const store = await globalThis.caches?.open(CACHE).catch(() => null);
  const kept = await store?.match(url);
  const answer = kept ?? await fetch(url);
  if (!answer.ok) throw new Error(`${name}: not on the server (${answer.status})`);
  const bytes = await gather(answer.body, onBytes);
  if (kept) return {bytes, kept: true};
  const put = store?.put(url, new Response(bytes, {headers: answer.headers})) ?? Promise.reject();
  return {bytes, kept: await put.then(() => true, () => false)};  // there may be no room
}

async function gather(stream, onBytes) {
  const pieces = [], reader = stream.getReader();
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
    pieces.push(piece.value);
    onBytes(piece.value.length);
  }
  return new Blob(pieces).arrayBuffer();
}
