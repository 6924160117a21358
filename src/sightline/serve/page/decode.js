// An image file -> its pixels, upright, by the rules of Python's `preprocess.open_photo`.

import {profileOf, tellsOtherColours, webpOrientation} from "./container.js";
import {flatten} from "./flatten.js";
import {refusal} from "./kinds.js";
import {MOST_BYTES, tooLarge} from "./limit.js";
import {changesColours} from "./profile.js";

export class BadPhoto extends Error {}

// For an EXIF orientation, where a picture of w by h is to be drawn: the canvas's transform.
const UPRIGHT = {
  1: () => [1, 0, 0, 1, 0, 0], 2: w => [-1, 0, 0, 1, w, 0], 3: (w, h) => [-1, 0, 0, -1, w, h],
  4: (w, h) => [1, 0, 0, -1, 0, h], 5: () => [0, 1, 1, 0, 0, 0], 6: (w, h) => [0, 1, -1, 0, h, 0],
  7: (w, h) => [0, -1, -1, 0, h, w], 8: w => [0, -1, 1, 0, 0, w],
};

// The file's picture on a canvas, as a person is to see it.
export async function uprightCanvas(file) {
  const bytes = await bytesOf(file);
  const bitmap = await open(file, bytes);
  const turn = webpOrientation(bytes), {width, height} = bitmap;
  const canvas = turn < 5 ? new OffscreenCanvas(width, height) : new OffscreenCanvas(height, width);
  const pen = canvas.getContext("2d", {willReadFrequently: true});
  pen.setTransform(...UPRIGHT[turn](width, height));
  pen.drawImage(bitmap, 0, 0);
  bitmap.close();
  return canvas;
}

export const isTurnedWebp = async file => webpOrientation(await bytesOf(file)) !== 1;

// {width, height, data: red, green, blue and maybe more of every pixel, step: how many}; `BadPhoto` where there is no
// picture in the file. photo: a file, or an ImageBitmap, which is closed.
export async function decode(photo) {
  const bytes = photo instanceof Blob ? await bytesOf(photo) : null;
  const bitmap = bytes ? await open(photo, bytes) : photo;
  const seen = flatten(pixels(bitmap));
  bitmap.close();
  return bytes ? turned(seen, webpOrientation(bytes)) : seen;
}

async function bytesOf(file) {
  if (file.size > MOST_BYTES) throw new BadPhoto(tooLarge(file.size));
  return new Uint8Array(await file.arrayBuffer());
}

async function open(file, bytes) {
  if (!bytes.length) throw new BadPhoto("an empty file");
  const profile = profileOf(bytes), isOther = tellsOtherColours(bytes) ?? (profile && await changesColours(profile));
  try {
    return await createImageBitmap(file, {
      // Nothing that Python takes for sRGB may move the pixels.
      colorSpaceConversion: isOther ? "default" : "none",
      premultiplyAlpha: "none",
    });
  } catch {
    throw new BadPhoto(refusal(bytes));
  }
}

// Red, green, blue and opacity. A 2D canvas keeps colours multiplied by their opacity, which loses what lies under
// transparent pixels, so that where there are any, WebGL reads them.
function pixels(bitmap) {
  const {width, height} = bitmap;
  const pen = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  if (!pen) throw new BadPhoto("too many pixels for this browser; scale the photo down first");
  pen.drawImage(bitmap, 0, 0);
  const {data} = pen.getImageData(0, 0, width, height);
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] < 255) return {width, height, data: unmultiplied(bitmap) ?? data};
  }
  return {width, height, data};
}

function unmultiplied(bitmap) {
  const {width, height} = bitmap, gl = new OffscreenCanvas(1, 1).getContext("webgl");
  if (!gl || Math.max(width, height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  return read(gl, width, height);
}

function read(gl, width, height) {
  const texture = gl.getParameter(gl.TEXTURE_BINDING_2D), data = new Uint8Array(width * height * 4);
  gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
  // A page has few WebGL contexts; this one would otherwise live until the garbage is collected.
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return data;
}

function turned(image, turn) {
  if (turn === 1) return image;
  const {width, height} = image, [a, b, c, d, e, f] = UPRIGHT[turn](width - 1, height - 1);
  const across = turn < 5 ? width : height, data = new Uint8Array(width * height * 3);
  for (let y = 0, from = 0; y < height; y++) {
    for (let x = 0; x < width; x++, from += image.step) {
      const to = ((b * x + d * y + f) * across + (a * x + c * y + e)) * 3;
      data[to] = image.data[from];
      data[to + 1] = image.data[from + 1];
      data[to + 2] = image.data[from + 2];
    }
  }
  return {width: across, height: turn < 5 ? height : width, data, step: 3};
}
