// A photo in which nothing can be seen is captioned all the same; people are told not to believe it.

export const BLANK = "the photo is blank, one colour all over: the caption says nothing about it";

// Whether pixels, 3 bytes each, are one colour all over, within two 255ths.
export function isBlank({data}) {
  return [0, 1, 2].every(channel => {
    let least = 255, most = 0;
    for (let at = channel; at < data.length; at += 3) {
      least = Math.min(least, data[at]);
      most = Math.max(most, data[at]);
    }
    return most - least <= 2;
  });
}
