// Whether a colour profile is one that Python converts from, or sRGB written down by somebody else.

import {join} from "./container.js";

const SAME = 4;  // 255ths on any colour: `sightline.images.colour`
const SIDE = 18;  // steps of red, green and blue

const known = new Map();  // a profile's size and sum -> the promise of an answer

// profile: what `profileOf` gives.
export function changesColours(profile) {
  const key = profile.bytes.reduce((sum, byte) => (31 * sum + byte) >>> 0, profile.bytes.length);
  if (!known.has(key)) known.set(key, measure(profile).catch(() => false));
  return known.get(key);
}

// The browser itself says what it makes of the profile: a picture of all colours is decoded with and without it.
async function measure(profile) {
  const file = await picture(profile), [plain, converted] = await Promise.all(["none", "default"].map(conversion =>
    createImageBitmap(file, {colorSpaceConversion: conversion}).then(colours)));
  return plain.some((value, at) => Math.abs(value - converted[at]) > SAME);
}

function colours(bitmap) {
  const {width, height} = bitmap, pen = new OffscreenCanvas(width, height).getContext("2d", {willReadFrequently: true});
  pen.drawImage(bitmap, 0, 0);
  return pen.getImageData(0, 0, width, height).data;
}

// A PNG of SIDE ** 3 colours, or of SIDE grays: browsers apply a profile of gray to gray alone, as Python does.
async function picture({bytes, compressed}) {
  const steps = Array.from({length: SIDE}, (_, step) => 15 * step), head = new Uint8Array(13);
  const profile = compressed ? await through(new DecompressionStream("deflate"), bytes) : bytes;
  const isGray = new TextDecoder().decode(profile.subarray(16, 20)) === "GRAY";
  const rows = isGray ? [[0, ...steps]]
    : steps.map(red => [0, ...steps.flatMap(green => steps.flatMap(blue => [red, green, blue]))]);
  const size = new DataView(head.buffer);
  size.setUint32(0, isGray ? SIDE : SIDE * SIDE);
  size.setUint32(4, rows.length);
  head.set([8, isGray ? 0 : 2], 8);  // eight bits of gray, or each of red, green and blue
  const name = Uint8Array.of(0x69, 0, 0);
  return new Blob([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", head),
    chunk("iCCP", join([name, compressed ? bytes : await deflated(bytes)])),
    chunk("IDAT", await deflated(Uint8Array.from(rows.flat()))),
    chunk("IEND", new Uint8Array(0)),
  ], {type: "image/png"});
}

const deflated = bytes => through(new CompressionStream("deflate"), bytes);

async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}

function chunk(name, content) {
  const named = join([new TextEncoder().encode(name), content]), ends = new DataView(new ArrayBuffer(8));
  ends.setUint32(0, content.length);
  ends.setUint32(4, checksum(named));
  return join([new Uint8Array(ends.buffer, 0, 4), named, new Uint8Array(ends.buffer, 4, 4)]);
}

// CRC-32, as PNG asks for it.
function checksum(bytes) {
  let rest = ~0;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? rest >>> 1 ^ 0xedb88320 : rest >>> 1;
  }
  return ~rest >>> 0;
}
