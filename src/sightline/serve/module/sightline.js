// Captions photos in a web page: `const captioner = await load(); (await captioner.caption(photo)).words`.

import {Captioner as Worked, orAborted} from "./lib/captioner.js";
import {readable} from "./photo.js";

const BYTES = __BYTES__;  // of the model and its runtime
const MOST_BEAMS = 10;

// Options and results: sightline.d.ts.
export async function load({model, runtime, worker, onProgress, signal} = {}) {
  signal?.throwIfAborted();
  if (!globalThis.Worker) throw new Error("captions need a browser: there are no workers here");
  const captioner = new Captioner(startWorker(worker), files(model, runtime), onProgress);
  try {
    await orAborted(captioner.ready, signal);
    return captioner;
  } catch (error) {
    captioner.close();
    throw error;
  }
}

export class Captioner {
  #worked;

  constructor(worker, files, onProgress) {
    this.#worked = new Worked(worker, files, onProgress);
    this.ready = this.#worked.ready;
  }

  async caption(photo, {beamSize = 3, lengthPenalty = 1, evidence = false, signal} = {}) {
    check("beamSize", beamSize, Number.isInteger(beamSize) && beamSize >= 1 && beamSize <= MOST_BEAMS,
      `a whole number from 1 to ${MOST_BEAMS}`);
    check("lengthPenalty", lengthPenalty, Number.isFinite(lengthPenalty), "a number");
    const options = {beam_size: beamSize, length_penalty: lengthPenalty, evidence: Boolean(evidence)};
    const picture = await orAborted(readable(photo, signal), signal);
    return named(await this.#worked.caption(picture, options, signal));
  }

  close() {
    this.#worked.close();
  }

  [Symbol.dispose ?? Symbol("dispose")]() {
    this.close();
  }
}

function check(name, value, isRight, wanted) {
  if (!isRight) throw new TypeError(`${name}: ${wanted}, not ${value}`);
}

// A worker may not be of another origin than the page; one of the page's own may import its script from there.
function startWorker(address) {
  if (address instanceof Worker) return address;
  const here = import.meta.url, isForeign = /^https?:/.test(here) && new URL(here).origin !== location.origin;
  if (!address && !isForeign) {
    // In these very words, by which bundlers find it.
    return new Worker(new URL("./lib/worker.js", import.meta.url), {type: "module"});
  }
  const url = absolute(address ?? new URL("lib/worker.js", here));
  if (url.origin === location.origin) return new Worker(url, {type: "module"});
  const source = new Blob([`import ${JSON.stringify(url.href)};`], {type: "text/javascript"});
  const own = URL.createObjectURL(source), worker = new Worker(own, {type: "module"});
  for (const end of ["message", "error"]) worker.addEventListener(end, () => URL.revokeObjectURL(own), {once: true});
  return worker;
}

// model and runtime: the addresses of folders; without them, what lies beside this file.
function files(model, runtime) {
  const within = (folder, name) => new URL(name, absolute(String(folder).replace(/\/?$/, "/"))).href;
  return {
    ...(model ? {
      onnx: within(model, "model.onnx"), config: within(model, "config.json"),
      vocabulary: within(model, "vocabulary.json"),
    } : {
      onnx: new URL("./model/model.onnx", import.meta.url).href,
      config: new URL("./model/config.json", import.meta.url).href,
      vocabulary: new URL("./model/vocabulary.json", import.meta.url).href,
    }),
    wasm: runtime ? within(runtime, "ort-wasm-simd-threaded.wasm")
      : new URL("./lib/runtime/ort-wasm-simd-threaded.wasm", import.meta.url).href,
    total: BYTES,
  };
}

const absolute = address => new URL(address, globalThis.document?.baseURI ?? location.href);

// The names of Python's `Caption.as_dict()`, as JavaScript writes them.
function named({caption, ...rest}) {
  const entries = Object.entries(rest).map(([name, value]) => [
    name.replace(/_(.)/g, (_, letter) => letter.toUpperCase()), name === "alternatives" ? value.map(named) : value,
  ]);
  return {text: caption, ...Object.fromEntries(entries)};
}
