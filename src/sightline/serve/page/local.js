// The back end of the static site: the model runs in this browser, and no photo leaves it.

export const PROMISE = "Photos stay on this device: the model runs in your browser, and works offline once loaded.";
export const AT_ONCE = 1;

const waiting = new Map();  // id -> {resolve, reject}
let worker = null, started = null, number = 0;

// Loads the model; `onProgress` gets the share that is there, 0 to 1.
export function start(onProgress) {
  worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
  started = new Promise((resolve, reject) => {
    worker.addEventListener("error", event => reject(new Error(event.message || "this browser cannot run the model")));
    worker.addEventListener("message", ({data}) => {
      if (data.total) onProgress(data.loaded / data.total);
      else if (data.ready) resolve();
      else if (data.failed) reject(new Error(data.failed));
      else settle(data);
    });
  });
  keep();
  return started;
}

// What `Caption.as_dict()` gives in Python; rejects with a reason for people.
export async function caption(file, options) {
  await started;
  return new Promise((resolve, reject) => {
    waiting.set(++number, {resolve, reject});
    worker.postMessage({id: number, file, options});
  });
}

function settle({id, caption, problem}) {
  const {resolve, reject} = waiting.get(id);
  waiting.delete(id);
  if (caption) resolve(caption);
  else reject(new Error(problem));
}

// Without a network, the service worker answers.
function keep() {
  navigator.serviceWorker?.register(new URL("offline.js", import.meta.url)).catch(() => {});
}
