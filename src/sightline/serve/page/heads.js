// What a model tells beside its sentences, if it has learned that -> parts of a caption, as Python's `read_captions` does.

const WORTH_NAMING = __WORTH__, MOST = __MOST__, NO_PHOTO = __NOTE__;

// Outputs of model.onnx that only some models have.
export const HEADS = ["confidence", "word_confidence", "kinds", "keywords"];

// Of a photo. outputs: of model.onnx. heads: what config.json names of them.
export function ofPhoto({kinds, keywords}, heads) {
  const kind = kinds && likelier(heads.kinds, [...kinds.data]);
  const words = keywords ? worthNaming(heads.keywords, [...keywords.data]) : [];
  return {
    ...(kind && {kind}),
    ...(words.length && {keywords: words}),
    ...(kind && kind !== heads.kinds[0] && {note: NO_PHOTO.replace("{}", kind)}),
  };
}

// Of a sentence's words, from numbers of its units of which some are missing: the least of each word's, or null.
export function ofWords(values, {starts, units}) {
  return starts.map((start, word) => {
    const known = values.slice(start, starts[word + 1] ?? units).filter(value => !Number.isNaN(value));
    return known.length ? Math.min(...known) : null;
  });
}

// The first of the kinds is a photo, unless it is likelier that it is none.
function likelier([photo, ...others], [probability, ...rest]) {
  return probability >= 0.5 ? photo : others[rest.indexOf(Math.max(...rest))];
}

function worthNaming(words, probabilities) {
  return words.map((word, index) => ({word, probability: probabilities[index]}))
    .sort((one, other) => other.probability - one.probability)
    .slice(0, MOST).filter(({probability}) => probability >= WORTH_NAMING);
}
