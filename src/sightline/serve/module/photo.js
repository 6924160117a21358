// What a page has of a photo -> what the worker takes: the file itself, wherever there is one, or else its pixels.

import {MOST_BYTES, tooLarge} from "./lib/limit.js";
import {gather} from "./lib/stored.js";

const WANTED = "not a photo: a Blob, an <img>, an address, a canvas, a video, ImageData or an ImageBitmap is";
const FORBIDDEN = "this page may not read the picture, which comes from another site: give its <img> the attribute"
  + ' crossorigin="anonymous", and have that site send Access-Control-Allow-Origin';

const isA = (thing, ...names) => names.some(name => globalThis[name] && thing instanceof globalThis[name]);

// A Blob or an ImageBitmap; rejects with a reason for people.
export async function readable(photo, signal) {
  if (isA(photo, "Blob")) return photo;
  if (isA(photo, "ArrayBuffer") || ArrayBuffer.isView(photo)) return new Blob([photo]);
  if (typeof photo === "string" || isA(photo, "URL")) return fetched(String(photo), signal);
  if (isA(photo, "HTMLImageElement")) return ofElement(photo, signal);
  if (isA(photo, "HTMLCanvasElement", "OffscreenCanvas", "HTMLVideoElement", "ImageData", "ImageBitmap", "VideoFrame")) {
    return pixels(photo);
  }
  throw new TypeError(WANTED);
}

// The file has colours and a form that a canvas may have lost. Where the page's policy forbids to fetch it, or the file
// is gone, there are the pixels still.
async function ofElement(image, signal) {
  const address = image.currentSrc || image.src;
  if (!address) throw new Error("the <img> has no picture yet");
  try {
    return await fetched(address, signal);
  } catch (error) {
    if (signal?.aborted || error instanceof TooLarge) throw error;
    await image.decode().catch(() => { throw error; });
    return pixels(image);
  }
}

class TooLarge extends Error {}

async function fetched(address, signal) {
  const isData = address.startsWith("data:");
  if (isData) checkSize(address.length * 3 / 4);
  const name = isData ? "the data: address" : address.replace(/[?#].*/s, "").replace(/.*\/(?=.)/s, "");
  const answer = await fetch(address, {signal}).catch(() => {
    signal?.throwIfAborted();
    throw new Error(`${name}: cannot be fetched; its server is away, or it or this page's security policy forbids it`);
  });
  if (!answer.ok) throw new Error(`${name}: not on the server (${answer.status})`);
  let size = 0;
  return new Blob([await gather(answer.body, length => checkSize(size += length))]);
}

function checkSize(size) {
  if (size > MOST_BYTES) throw new TooLarge(tooLarge(size));
}

async function pixels(picture) {
  try {
    const bitmap = await createImageBitmap(picture, {premultiplyAlpha: "none"});
    const pen = new OffscreenCanvas(1, 1).getContext("2d");
    pen.drawImage(bitmap, 0, 0);
    pen.getImageData(0, 0, 1, 1);  // fails where the page may show the picture but not read it
    return bitmap;
  } catch (error) {
    throw new Error(error.name === "SecurityError" ? FORBIDDEN : "there is no picture in it yet");
  }
}
