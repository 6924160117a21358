// Pillow's antialiased resize, bicubic or bilinear, bit for bit. A canvas resizes otherwise, and otherwise in every browser.

const BITS = 22;  // of a weight's fraction
const HALF = 1 << (BITS - 1);

// Keys' cubic with a = -0.5.
function cubic(x) {
  x = Math.abs(x);
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
}

const FILTERS = {
  bicubic: {weight: cubic, reach: 2},
  bilinear: {weight: x => Math.max(0, 1 - Math.abs(x)), reach: 1},
};

// For every one of `to` pixels the first of the `from` pixels it draws on and their weights, in fixed point.
function taps(from, to, {weight, reach}) {
  const scale = from / to, stretch = Math.max(scale, 1), support = reach * stretch;
  return Array.from({length: to}, (_, pixel) => {
    const center = (pixel + 0.5) * scale;
    const first = Math.max(Math.trunc(center - support + 0.5), 0);
    const last = Math.min(Math.trunc(center + support + 0.5), from);
    const weights = Array.from({length: last - first}, (_, k) => weight((k + first - center + 0.5) * (1 / stretch)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return {first, weights: Int32Array.from(weights, weight => {
      const fixed = (weight / sum) * 2 ** BITS;
      return Math.trunc(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    })};
  });
}

function narrow({width, height, data, step}, to, filter) {
  const out = new Uint8ClampedArray(to * height * 3), columns = taps(width, to, filter);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < to; x++) {
      const {first, weights} = columns[x], count = weights.length;
      let red = HALF, green = HALF, blue = HALF;
      for (let k = 0, from = (y * width + first) * step; k < count; k++, from += step) {
        const weight = weights[k];
        // Sums stay within 32 bits, which spares the engine from looking.
        red = red + Math.imul(data[from], weight) | 0;
        green = green + Math.imul(data[from + 1], weight) | 0;
        blue = blue + Math.imul(data[from + 2], weight) | 0;
      }
      out[at++] = red >> BITS;
      out[at++] = green >> BITS;
      out[at++] = blue >> BITS;
    }
  }
  return {width: to, height, data: out, step: 3};
}

// A row at a time, as the rows lie in memory.
function shorten({width, height, data, step}, to, filter) {
  const line = width * step, out = new Uint8ClampedArray(line * to), sums = new Int32Array(line);
  taps(height, to, filter).forEach(({first, weights}, y) => {
    sums.fill(HALF);
    weights.forEach((weight, k) => {
      const from = (first + k) * line;
      for (let x = 0; x < line; x++) sums[x] = sums[x] + Math.imul(data[from + x], weight) | 0;
    });
    for (let x = 0; x < line; x++) out[y * line + x] = sums[x] >> BITS;
  });
  return {width, height: to, data: out, step};
}

// {width, height, data: `step` bytes a pixel, of which three count} -> `side` pixels both ways, three bytes each; the
// aspect is squashed.
export function squash(image, side, interpolation = "bicubic") {
  const {width, height} = image, filter = FILTERS[interpolation];
  const across = picture => picture.width === side ? picture : narrow(picture, side, filter);
  const down = picture => picture.height === side ? picture : shorten(picture, side, filter);
  // Each pass rounds, so that their order counts; Pillow, since 13, takes first the one that leaves less to the other.
  const downFirst = height > side && height - side > 2 * (width - side);
  const {data, step} = downFirst ? across(down(image)) : down(across(image));
  return {width: side, height: side, data: step === 3 ? data : data.filter((_, at) => at % step < 3)};
}
