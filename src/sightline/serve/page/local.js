// The back end of the static site: the model runs in this browser, and no photo leaves it.

import {Captioner} from "./captioner.js";
import {BYTES, CACHE} from "./site.js";

export const PROMISE = "Photos stay on this device: the model runs in your browser.";
export const AT_ONCE = 1;

const KEPT = "It works offline now.";
const NOT_KEPT = "This browser did not keep a copy of it, so each visit loads it anew.";

let captioner = null;

// Loads the model; `onProgress` gets the share that is there, 0 to 1, and `onPromise` what holds once all is kept.
export async function start(onProgress, onPromise) {
  const worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
  captioner = new Captioner(worker, files(), ({loaded, total}) => onProgress(loaded / total));
  const {kept} = await captioner.ready;
  keep(kept).then(all => onPromise(`${PROMISE} ${all ? KEPT : NOT_KEPT}`));
}

// What `Caption.as_dict()` gives in Python; rejects with a reason for people.
export const caption = (file, options) => captioner.caption(file, options);

function files() {
  const at = name => new URL(name, import.meta.url).href;
  return {
    wasm: at("runtime/ort-wasm-simd-threaded.wasm"), onnx: at("model/model.onnx"), config: at("model/config.json"),
    vocabulary: at("model/vocabulary.json"), total: BYTES, cache: CACHE,
  };
}

// Whether the page works without a network from now on: the service worker answers, with what is in the store.
async function keep(isStored) {
  if (!navigator.serviceWorker) return false;
  try {
    const {installing, waiting, active} = await navigator.serviceWorker.register(new URL("offline.js", import.meta.url));
    const worker = installing ?? waiting ?? active;
    while (worker.state === "installing") {
      await new Promise(resolve => worker.addEventListener("statechange", resolve, {once: true}));
    }
    return isStored && worker.state !== "redundant";
  } catch {
    return false;
  }
}
