// One run of model.onnx, which holds the whole beam search, and what it found as `Caption.as_dict()` gives it.

import {env, InferenceSession, Tensor} from "./runtime/ort.wasm.min.mjs";

const SEARCHED = ["tokens", "log_probs", "scores", "attention"];
const PAD = 0, START = 1, END = 2;

// runtime and model: the bytes of the WebAssembly and of model.onnx.
export async function openSearch(runtime, model) {
  env.wasm.wasmBinary = runtime;
  env.wasm.wasmPaths = new URL("runtime/", import.meta.url).href;
  env.wasm.numThreads = 1;
  return InferenceSession.create(model, {executionProviders: ["wasm"]});
}

// pixels: Float32Array (3, side, side).
export async function search(session, {config, vocabulary}, pixels, {beam_size, length_penalty, evidence}) {
  const side = config.preprocessing.size, firstScores = new Float32Array(beam_size).fill(-1e9);
  firstScores[0] = 0;
  const feed = {
    pixels: new Tensor("float32", pixels, [1, 3, side, side]),
    first_scores: new Tensor("float32", firstScores, [beam_size]),
    length_penalty: new Tensor("float32", [length_penalty], []),
  };
  const explains = session.inputNames.includes("explain");
  if (explains) feed.explain = new Tensor("bool", Uint8Array.of(Number(evidence)), []);
  const found = await session.run(feed, evidence && explains ? [...SEARCHED, "evidence"] : SEARCHED);
  return read(found, config.grid, vocabulary);
}

function read({tokens, log_probs, scores, attention, evidence}, [height, width], vocabulary) {
  const [, , longest] = tokens.dims, places = height * width;
  const grids = (values, first, count) => Array.from({length: count}, (_, word) =>
    Array.from({length: height}, (_, row) => {
      const at = (first + word) * places + row * width;
      return [...values.subarray(at, at + width)];
    }));
  const sentence = beam => {
    const first = beam * longest, words = decode(tokens.data.subarray(first, first + longest), vocabulary);
    return {
      caption: words.join(" ").replaceAll(" 's", "'s"),
      words,
      log_probs: [...log_probs.data.subarray(first, first + words.length)],
      score: scores.data[beam],
      attention: grids(attention.data, first, words.length),
    };
  };
  // A beam with a score near -1e9 holds no sentence.
  const beams = [...scores.data.keys()].filter(beam => scores.data[beam] > -1e8);
  const [best, ...others] = beams.map(sentence);
  return {
    ...best,
    ...(evidence && {evidence: grids(evidence.data, 0, best.words.length)}),
    alternatives: others.map(({caption, score}) => ({caption, score})),
  };
}

function decode(tokens, vocabulary) {
  const words = [];
  for (const token of tokens) {
    const id = Number(token);
    if (id === END || id === PAD) break;
    if (id !== START) words.push(vocabulary[id]);
  }
  return words;
}
