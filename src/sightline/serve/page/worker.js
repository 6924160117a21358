// Captions photos beside the page, so that the page never waits: in {id, file, options}, out {id, caption or problem}.

import {BLANK, isBlank} from "./blank.js";
import {BadPhoto, decode} from "./decode.js";
import {checkIdentity} from "./identity.js";
import {squash} from "./resample.js";
import {openSearch, search} from "./search.js";
import {LARGE} from "./site.js";
import {standardise} from "./standardise.js";
import {stored} from "./stored.js";

const opened = openModel();
opened.then(({kept}) => postMessage({ready: true, kept}), error => postMessage({failed: error.message}));

let before = opened.catch(() => {});

// One photo after the other: the runtime takes no two runs at once.
addEventListener("message", ({data}) => {
  before = before.then(() => answer(data));
});

async function openModel() {
  const total = Object.values(LARGE).reduce((sum, size) => sum + size, 0);
  let loaded = 0;
  const fetched = name => stored(name, length => postMessage({loaded: loaded += length, total}));
  const [runtime, model, config, vocabulary] = await Promise.all([
    ...Object.keys(LARGE).map(fetched), json("model/config.json"), json("model/vocabulary.json"),
  ]);
  const description = {config, vocabulary}, kept = runtime.kept && model.kept;
  await checkIdentity(model.bytes, description);
  return {session: await openSearch(runtime.bytes, model.bytes), description, kept};
}

async function json(name) {
  return (await fetch(new URL(name, import.meta.url))).json();
}

async function answer({id, file, options}) {
  try {
    const {session, description} = await opened;
    const {preprocessing} = description.config;
    const seen = squash(await decode(file), preprocessing.size, preprocessing.interpolation);
    const caption = await search(session, description, standardise(seen, preprocessing), options);
    postMessage({id, caption: isBlank(seen) ? {...caption, note: BLANK} : caption});
  } catch (error) {
    const problem = error instanceof BadPhoto ? error.message : `could not be captioned (${error.message})`;
    postMessage({id, problem});
  }
}
