// The back end of the static site: the model runs in this browser, and no photo leaves it.

export const PROMISE = "Photos stay on this device: the model runs in your browser.";
export const AT_ONCE = 1;

const KEPT = "It works offline now.";
const NOT_KEPT = "This browser did not keep a copy of it, so each visit loads it anew.";

const waiting = new Map();  // id -> {resolve, reject}
let worker = null, started = null, number = 0;

// Loads the model; `onProgress` gets the share that is there, 0 to 1, and `onPromise` what holds once all is kept.
export function start(onProgress, onPromise) {
  worker = new Worker(new URL("worker.js", import.meta.url), {type: "module"});
  started = new Promise((resolve, reject) => {
    worker.addEventListener("error", event => reject(new Error(event.message || "this browser cannot run the model")));
    worker.addEventListener("message", ({data}) => {
      if (data.total) onProgress(data.loaded / data.total);
      else if (data.ready) {
        resolve();
        keep(data.kept).then(kept => onPromise(`${PROMISE} ${kept ? KEPT : NOT_KEPT}`));
      }
      else if (data.failed) reject(new Error(data.failed));
      else settle(data);
    });
  });
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
