// One run of model.onnx, which holds the whole beam search -> a caption in the form of `Caption.as_dict()`.

import {HEADS, ofPhoto, ofWords} from "./heads.js";
import {byWord, read} from "./reading.js";
import {env, InferenceSession, Tensor} from "./runtime/ort.wasm.bundle.min.mjs";

const SEARCHED = ["tokens", "log_probs", "scores", "attention"];

// runtime and model: the bytes of the WebAssembly and of model.onnx.
export async function openSearch(runtime, model) {
  env.wasm.wasmBinary = runtime;
  env.wasm.numThreads = 1;
  // Errors alone: that an input may be left out (`allow_repeats`) would be a warning.
  return InferenceSession.create(model, {executionProviders: ["wasm"], logSeverityLevel: 3});
}

// pixels: Float32Array (3, side, side).
export async function search(session, {config, vocabulary}, pixels, {beam_size, length_penalty, evidence}) {
  const side = config.preprocessing.size, firstScores = new Float32Array(beam_size).fill(-1e9);
  firstScores[0] = 0;
  const feed = {
    pixels: new Tensor("float32", pixels, [1, 3, side, side]),
    first_scores: new Tensor("float32", firstScores, [beam_size]),
    length_penalty: new Tensor("float32", [length_penalty], []),
    explain: new Tensor("bool", Uint8Array.of(Number(evidence)), []),
  };
  const heads = HEADS.filter(name => session.outputNames.includes(name));
  const outputs = await session.run(feed, [...SEARCHED, ...evidence ? ["evidence"] : [], ...heads]);
  return {...captions(outputs, config.grid, vocabulary), ...ofPhoto(outputs, config.heads)};
}

function captions(outputs, [height, width], vocabulary) {
  const {tokens, log_probs, scores, attention, evidence, confidence, word_confidence} = outputs;
  const [, , longest] = tokens.dims, places = height * width;
  const readings = [...scores.data.keys()].map(beam =>
    read(tokens.data.subarray(beam * longest, (beam + 1) * longest), vocabulary));
  // A word's units together, as a grid: the sum of theirs, or their mean.
  const grids = (values, beam, mean) => readings[beam].starts.map((start, word) => {
    const {starts, units} = readings[beam], stop = starts[word + 1] ?? units;
    const grid = Array.from({length: height}, () => new Array(width).fill(0));
    for (let unit = start; unit < stop; unit++) {
      const at = (beam * longest + unit) * places;
      for (let place = 0; place < places; place++) {
        grid[Math.floor(place / width)][place % width] += values[at + place] / (mean ? stop - start : 1);
      }
    }
    return grid;
  });
  const ofBeam = ({data}, beam) => [...data.subarray(beam * longest, (beam + 1) * longest)];
  const sentence = beam => ({
    caption: readings[beam].text,
    words: readings[beam].words,
    log_probs: byWord(ofBeam(log_probs, beam), readings[beam]),
    score: scores.data[beam],
    ...(confidence && {confidence: confidence.data[beam]}),
    ...(word_confidence && {word_confidence: ofWords(ofBeam(word_confidence, beam), readings[beam])}),
    attention: grids(attention.data, beam, true),
  });
  // A beam with a score near -1e9 holds no sentence.
  const beams = [...scores.data.keys()].filter(beam => scores.data[beam] > -1e8);
  const [best, ...others] = beams.map(sentence);
  return {
    ...best,
    ...(evidence && {evidence: grids(evidence.data, 0, false)}),
    alternatives: others.map(({caption, score, confidence}) => ({caption, score, ...(confidence !== undefined && {confidence})})),
  };
}
