// Transparency laid over a ground on which something can be seen, by the rules and with the rounding of Python.

const WHITE = 255, DARK = 64;

// {width, height, data: red, green, blue, opacity} -> {width, height, data, step: bytes a pixel, of which three count}.
export function flatten(image) {
  const {width, height, data} = image, ground = groundOf(image);
  if (ground === null) return {width, height, data, step: 4};
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const opacity = data[from + 3];
    for (let channel = 0; channel < 3; channel++) out[to++] = over(data[from + channel], ground, opacity);
  }
  return {width, height, data: out, step: 3};
}

// White, or dark where what is opaque is white itself. Null where colours count as they are: in a picture that is
// opaque all over, and in one that is transparent all over, of which is seen what lies under it.
function groundOf({width, height, data}) {
  let least = 255, most = 0;
  for (let at = 3; at < data.length; at += 4) {
    if (data[at] < least) least = data[at];
    if (data[at] > most) most = data[at];
  }
  if (least === 255 || most <= 8) return null;
  let coloured = 0, total = 0;
  const step = 1 + Math.floor(Math.max(width, height) / 512);
  for (let y = 0; y < height; y += step) {
    for (let x = 0; x < width; x += step) {
      const at = (y * width + x) * 4, opacity = data[at + 3];
      total += opacity;
      if (Math.min(data[at], data[at + 1], data[at + 2]) < 224) coloured += opacity;
    }
  }
  return coloured >= 0.01 * total ? WHITE : DARK;
}

// One channel of `Image.alpha_composite` over an opaque ground: a division by 255 with 7 bits of fraction.
function over(color, ground, opacity) {
  const sum = (color * opacity + ground * (255 - opacity)) * 128 + (128 << 7);
  return ((sum >> 8) + sum) >> 8 >> 7;
}
