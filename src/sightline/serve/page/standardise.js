// Eight-bit pixels -> what the encoder takes, with the single precision of Python's `preprocess`.

// {data: side * side * 3 bytes} -> Float32Array (3, side, side).
export function standardise({data}, {mean, std}) {
  const area = data.length / 3, out = new Float32Array(data.length), single = Math.fround;
  for (let channel = 0; channel < 3; channel++) {
    const deviation = single(std[channel]), average = single(mean[channel]);
    const factor = single(1 / single(255 * deviation)), less = single(average / deviation);
    for (let pixel = 0; pixel < area; pixel++) {
      out[channel * area + pixel] = single(single(data[pixel * 3 + channel] * factor) - less);
    }
  }
  return out;
}
