// Transparency laid over a ground on which something can be seen, by the rules and with the rounding of Python.

const WHITE = 255, DARK = 64;

// {width, height, data: red, green, blue, opacity} -> the same without opacity.
export function flatten(image) {
  const {width, height, data} = image, out = new Uint8Array(width * height * 3), ground = groundOf(image);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const opacity = ground === null ? 255 : data[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      out[to++] = opacity === 255 ? data[from + channel] : over(data[from + channel], ground, opacity);
    }
  }
  return {width, height, data: out};
}

// White, or dark where what is opaque is white itself; null where all is transparent: what lies under it is then seen.
function groundOf({width, height, data}) {
  let most = 0;
  for (let at = 3; at < data.length; at += 4) most = Math.max(most, data[at]);
  if (most <= 8) return null;
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
