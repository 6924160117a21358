// What a file is that this browser cannot read, by its first bytes, and what to do with it.

const KINDS = [
  [/^....ftyp(he[iv][cmsx]|m[is]f1)/s, "a HEIC photo, which this browser does not read; save it as JPEG"],
  [/^(\xff\x0a|\0\0\0\x0cJXL )/, "a JPEG XL photo, which this browser does not read; save it as JPEG or PNG"],
  [/^(II\*\0|MM\0\*)/, "a TIFF photo, which this browser does not read; save it as JPEG or PNG"],
  [/^%PDF/, "a PDF document; save its pages as PNG"],
  [/<svg/i, "a vector drawing; save it as PNG"],
  [/<!doctype html|<html/i, "a web page; download the photo itself"],
  [/^(....ftyp(?!avi[fs])|\x1aE\xdf\xa3)/s, "a video; save a frame of it as JPEG"],
  [/^PK\x03\x04/, "an archive; unpack it"],
];

export function refusal(bytes) {
  const beginning = String.fromCharCode(...bytes.subarray(0, 512));
  return KINDS.find(([sign]) => sign.test(beginning))?.[1] ?? "not a picture that this browser can read";
}
