// Ids of words, or of units that words are written in -> what a person reads, by the rules of Python's `Vocabulary.read`.

const PAD = 0, START = 1, END = 2, BLANK = "\u2581";
// Scripts that set no blank between words.
const UNSPACED = `[${__UNSPACED__}]`;
const BEGINS = new RegExp(`^${UNSPACED}`, "u"), ENDS = new RegExp(`${UNSPACED}$`, "u");

// vocabulary: what vocabulary.json holds. {text; words: as they are printed; starts: each one's first unit; units: how
// many there are}.
export function read(ids, vocabulary) {
  const apart = Array.isArray(vocabulary), units = decode(ids, apart ? vocabulary : vocabulary.units);
  if (apart) {
    const text = units.join(" ").replaceAll(" 's", "'s");
    return {text, words: units, starts: [...units.keys()], units: units.length};
  }
  const starts = [...units.keys()].filter(place => beginsWord(units, place));
  const words = starts.map((start, word) => units.slice(start, starts[word + 1]).join("").replaceAll(BLANK, ""));
  const text = units.join("").split(BLANK).filter(part => part).join(" ");
  return {text, words, starts, units: units.length};
}

// Numbers of units -> of words: the sum over each word's.
export function byWord(values, {starts, units}) {
  return starts.map((start, word) => values.slice(start, starts[word + 1] ?? units).reduce((sum, one) => sum + one));
}

function beginsWord(units, place) {
  const before = units[place - 1], unit = units[place];
  if (place === 0) return true;
  if (before === BLANK || (unit === BLANK && place === units.length - 1)) return false;
  return unit.startsWith(BLANK) || BEGINS.test(unit) || ENDS.test(before);
}

function decode(ids, words) {
  const found = [];
  for (const each of ids) {
    const id = Number(each);
    if (id === END || id === PAD) break;
    if (id !== START) found.push(words[id]);
  }
  return found;
}
