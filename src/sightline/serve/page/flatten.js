// Transparency laid over white, with Pillow's rounding.

// {width, height, data: 4 bytes a pixel} -> the same with 3, without opacity.
export function flatten({width, height, data}) {
  const out = new Uint8Array(width * height * 3);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    const opacity = data[from + 3];
    for (let channel = 0; channel < 3; channel++) {
      out[to++] = opacity === 255 ? data[from + channel] : over(data[from + channel], 255, opacity);
    }
  }
  return {width, height, data: out};
}

// One channel of `Image.alpha_composite` over an opaque ground: a division by 255 with 7 bits of fraction.
function over(color, ground, opacity) {
  const sum = (color * opacity + ground * (255 - opacity)) * 128 + (128 << 7);
  return ((sum >> 8) + sum) >> 8 >> 7;
}
