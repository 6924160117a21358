// A worker that captions, as the page sees it: one photo after the other, any of which may be given up.

const NO_WORKER = "the model's worker does not start: look for its file on the server, for the type that the server gives"
  + " scripts, and for a security policy that forbids it";

export class Captioner {
  #worker;
  #running = {reject() {}};
  #before = Promise.resolve();
  #ended = null;  // why there are no more captions

  // worker: runs worker.js. files: where the model is, see `openModel` there. onProgress gets {loaded, total} in bytes.
  // `ready` resolves to {kept}: whether the browser has stored the files for use without a network.
  constructor(worker, files, onProgress = () => {}) {
    this.#worker = worker;
    this.ready = new Promise((resolve, reject) => {
      this.#running = {resolve, reject};
      worker.addEventListener("error", event => this.close(event.message || NO_WORKER));
      worker.addEventListener("message", ({data}) => {
        if ("loaded" in data) onProgress(data);
        else if (data.ready) resolve(data);
        else if (data.failed) this.close(data.failed);
        else if (data.caption) this.#running.resolve(data.caption);
        else this.#running.reject(new Error(data.problem));
      });
    });
    this.ready.catch(() => {});  // each caption says it again
    worker.postMessage(files);
  }

  // What `Caption.as_dict()` gives in Python; rejects with a reason for people. photo: a Blob, or an ImageBitmap, which
  // is gone afterwards. signal: an AbortSignal; a photo that waits is then never looked at.
  caption(photo, options, signal) {
    const turn = this.#before.then(async () => {
      await this.ready;
      signal?.throwIfAborted();
      return this.#ask(photo, options);
    });
    this.#before = turn.catch(() => {});
    return orAborted(turn, signal);
  }

  // Ends the worker and frees its memory; captions that are not done are rejected.
  close(reason = "the captioner is closed") {
    this.#ended ??= new Error(reason);
    this.#worker.terminate();
    this.#running.reject(this.#ended);
  }

  #ask(photo, options) {
    if (this.#ended) throw this.#ended;
    return new Promise((resolve, reject) => {
      this.#running = {resolve, reject};
      this.#worker.postMessage({photo, options}, photo instanceof Blob ? [] : [photo]);
    });
  }
}

// The same promise, which an AbortSignal, if there is one, rejects before it is settled.
export function orAborted(promise, signal) {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop);
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}
