// Captions photos beside the page, so that the page never waits. The first message in says where the model's files are;
// every other is {photo, options}, and the next one is sent once this one's {caption} or {problem} is there.

import {BLANK, isBlank} from "./blank.js";
import {BadPhoto, decode} from "./decode.js";
import {checkIdentity} from "./identity.js";
import {squash} from "./resample.js";
import {openSearch, search} from "./search.js";
import {standardise} from "./standardise.js";
import {json, stored} from "./stored.js";

const NO_WEBASSEMBLY = "the page's security policy forbids WebAssembly: its script-src needs 'wasm-unsafe-eval'";

let opened = null;

addEventListener("message", ({data}) => {
  if (opened) return answer(data);
  opened = openModel(data);
  opened.then(({kept}) => postMessage({ready: true, kept}), error => postMessage({failed: error.message}));
});

// wasm, onnx, config, vocabulary: the files' addresses. total: how many bytes the first two have. cache: the name of the
// store that keeps them for use without a network; none, if it is empty.
async function openModel({wasm, onnx, config, vocabulary, total, cache}) {
  let loaded = 0;
  const large = url => stored(url, cache, length => {
    loaded += length;
    postMessage({loaded, total: Math.max(loaded, total)});
  });
  const [runtime, model, ...described] = await Promise.all([
    large(wasm), large(onnx), json(config), json(vocabulary),
  ]);
  const description = {config: described[0], vocabulary: described[1]};
  await checkIdentity(model.bytes, description);
  const session = await openSearch(runtime.bytes, model.bytes).catch(error => {
    throw /Content Security Policy/i.test(error.message) ? new Error(NO_WEBASSEMBLY) : error;
  });
  return {session, description, kept: runtime.kept && model.kept};
}

async function answer({photo, options}) {
  try {
    const {session, description} = await opened;
    const {preprocessing} = description.config;
    const seen = squash(await decode(photo), preprocessing.size, preprocessing.interpolation);
    const caption = await search(session, description, standardise(seen, preprocessing), options);
    postMessage({caption: isBlank(seen) ? {...caption, note: BLANK} : caption});
  } catch (error) {
    postMessage({problem: error instanceof BadPhoto ? error.message : `could not be captioned (${error.message})`});
  }
}
