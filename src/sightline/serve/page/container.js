// What an image file says of itself beside its pixels, where browsers and Pillow do not read it alike.

const ascii = (bytes, from, length) => String.fromCharCode(...bytes.subarray(from, from + length));

// [name, first byte, length] of every part that is not the picture itself.
function* parts(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), end = bytes.length;
  if (end > 12 && ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WEBP") {
    for (let at = 12; at + 8 <= end;) {
      const length = view.getUint32(at + 4, true);
      yield [ascii(bytes, at, 4), at + 8, length];
      at += 8 + length + (length & 1);
    }
  } else if (ascii(bytes, 0, 8) === "\x89PNG\r\n\x1a\n") {
    for (let at = 8; at + 8 <= end;) {
      const length = view.getUint32(at), name = ascii(bytes, at + 4, 4);
      yield [name, at + 8, length];
      if (name === "IDAT") return;
      at += 12 + length;
    }
  } else if (end > 4 && view.getUint16(0) === 0xffd8) {
    for (let at = 2; at + 4 <= end && bytes[at] === 0xff && bytes[at + 1] !== 0xda;) {
      const length = view.getUint16(at + 2);
      yield [bytes[at + 1] === 0xe2 ? ascii(bytes, at + 4, 11) : "", at + 4, length - 2];
      at += 2 + length;
    }
  }
}

// The colour profile that comes with the pixels: {bytes, compressed}, or null.
export function profileOf(bytes) {
  const found = [];
  for (const [name, from, length] of parts(bytes)) {
    const content = bytes.subarray(from, from + length);
    if (name === "ICCP") return {bytes: content, compressed: false};
    // Behind the profile's name stand a zero and the method of compression, of which there is one.
    if (name === "iCCP") return {bytes: content.subarray(content.indexOf(0) + 2), compressed: true};
    if (name === "ICC_PROFILE") found.push(content);
  }
  // A JPEG's comes in pieces, each with its number.
  found.sort((one, other) => one[12] - other[12]);
  return found.length ? {bytes: join(found.map(piece => piece.subarray(14))), compressed: false} : null;
}

const SRGB = [31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000];  // as cHRM has white, red, green and blue

// Whether numbers beside the pixels tell colours other than sRGB's, as `sightline.images.coded_colours` reads them: PNG's
// cICP, gAMA and cHRM, AVIF's nclx. Undefined where there are none, or where a profile counts.
export function tellsOtherColours(bytes) {
  if (ascii(bytes, 4, 4) === "ftyp") {
    const at = new TextDecoder("latin1").decode(bytes.subarray(0, 1 << 16)).indexOf("colrnclx");
    return at < 0 ? undefined : isOther(bytes[at + 9], bytes[at + 11]);
  }
  const found = new Map(), number = (name, at) => new DataView(bytes.buffer, bytes.byteOffset + found.get(name)).getUint32(at);
  for (const [name, from] of parts(bytes)) found.set(name, from);
  if (found.has("cICP")) return isOther(bytes[found.get("cICP")], bytes[found.get("cICP") + 1]);
  if (found.has("iCCP") || found.has("sRGB") || !found.has("gAMA")) return undefined;
  const isUsual = Math.abs(number("gAMA", 0) / 1e5 - 1 / 2.2) < 0.01;
  return !isUsual || found.has("cHRM") && SRGB.some((value, at) => Math.abs(number("cHRM", 4 * at) - value) > 200);
}

// Of ITU-T H.273's numbers for primaries and for the curve.
const isOther = (primaries, curve) => ![1, 2].includes(primaries) || [4, 5, 8, 16, 17, 18].includes(curve);

export function join(pieces) {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  pieces.reduce((at, piece) => (out.set(piece, at), at + piece.length), 0);
  return out;
}

// A WebP's EXIF orientation, 1 to 8, which browsers leave to the page; of JPEG and PNG they see to it themselves.
export function webpOrientation(bytes) {
  for (const [name, from, length] of parts(bytes)) {
    if (name === "EXIF") return orientation(bytes.subarray(from, from + length));
  }
  return 1;
}

function orientation(exif) {
  const start = ascii(exif, 0, 6) === "Exif\0\0" ? 6 : 0;
  if (exif.length < start + 8) return 1;
  const view = new DataView(exif.buffer, exif.byteOffset + start, exif.length - start);
  const little = view.getUint16(0) === 0x4949, table = view.getUint32(4, little);
  if (table + 2 > view.byteLength) return 1;
  for (let entry = 0; entry < view.getUint16(table, little); entry++) {
    const at = table + 2 + 12 * entry;
    if (at + 12 > view.byteLength) return 1;
    if (view.getUint16(at, little) === 0x0112) {
      const value = view.getUint16(at + 8, little);
      return value >= 1 && value <= 8 ? value : 1;
    }
  }
  return 1;
}
