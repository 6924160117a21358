// Whether model.onnx was made for the config.json and the vocabulary.json beside it: Python's `model_folder.identity`.

// model: the bytes of model.onnx. Throws where it is another folder's, whose words would be garbage.
export async function checkIdentity(model, {config, vocabulary}) {
  const recorded = metadata(new Uint8Array(model)), {interpolation, ...preprocessing} = config.preprocessing;
  if (interpolation && interpolation !== "bicubic") preprocessing.interpolation = interpolation;
  const own = {
    vocabulary: await vocabularyIdentity(vocabulary), grid: JSON.stringify(config.grid),
    max_words: String(config.max_words), preprocessing: JSON.stringify(preprocessing),
    heads: config.heads ? `sha256 ${await digest(asPythonWrites(config.heads))}` : "",
  };
  for (const [name, value] of Object.entries(own)) {
    const theirs = (recorded[`sightline.${name}`] ?? "").replace(/([,:]) /g, name === "vocabulary" ? "$&" : "$1");
    if (!theirs.startsWith(value) || (!value && theirs)) {
      throw new Error(`model.onnx was made for another config.json or vocabulary.json (${name}); write the site again`);
    }
  }
}

async function vocabularyIdentity(vocabulary) {
  const [units, unit] = Array.isArray(vocabulary) ? [vocabulary, "words"]
    : [vocabulary.units, vocabulary.unit ?? vocabulary.split];
  return `${units.length} ${unit}, sha256 ${await digest(units.join("\n"))}`;
}

// The first digits; none on pages without https, which cannot compute them.
async function digest(text) {
  if (!globalThis.crypto?.subtle) return "";
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes.subarray(0, 6), byte => byte.toString(16).padStart(2, "0")).join("");
}

// JSON with Python's blanks and escapes.
function asPythonWrites(value) {
  return JSON.stringify(value, null, 1).replace(/,\n */g, ", ").replace(/\n */g, "")
    .replace(/[\u007f-\uffff]/g, letter => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// ONNX's `ModelProto.metadata_props`, field 14: entries of a key, field 1, and a value, field 2.
function metadata(bytes) {
  const text = content => new TextDecoder().decode(content), found = {};
  for (const [field, content] of fields(bytes)) {
    if (field !== 14) continue;
    const entry = Object.fromEntries(fields(content));
    found[text(entry[1])] = text(entry[2]);
  }
  return found;
}

// [number, content] of a protobuf message's fields that have a length; numbers are passed over.
function* fields(bytes) {
  let at = 0;
  const number = () => {
    for (let value = 0, unit = 1; ; unit *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * unit;
      if (!(byte >= 128)) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number(), kind = tag % 8;
    if (kind === 2) {
      const length = number();
      yield [Math.floor(tag / 8), bytes.subarray(at, at += length)];
    } else if (kind === 0) {
      number();
    } else {
      at += kind === 1 ? 8 : 4;
    }
  }
}
