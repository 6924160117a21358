// Joins the parts: photos come in, a back end captions them, each becomes a card.

import * as backend from "./backend.js";
import {offerCamera} from "./camera.js";
import {addCard} from "./card.js";
import {offerExamples} from "./examples.js";
import {takeIn} from "./intake.js";
import {foldAway, options} from "./options.js";
import {Queue} from "./queue.js";

const find = id => document.getElementById(id);
const light = () => document.querySelector(".switch input:checked").value;
const queue = new Queue(backend.AT_ONCE);
const cards = new Set();

function say(text) {
  find("news").textContent = text;
}

// What cannot become a card: a link, or nothing at all.
function refuse(reason) {
  find("refusal").textContent = reason;
}

// How many photos are not done yet.
function count() {
  const left = find("cards").querySelectorAll("article.waiting:not(.failed)").length;
  document.title = left ? `(${left}) Sightline` : "Sightline";
}

// The photos of one go stand in their order, above all earlier ones.
function add(files) {
  refuse("");
  if (!files.length) return;
  const chosen = options(), first = find("cards").firstElementChild;
  find("bar").hidden = false;
  say(files.length === 1 ? `Looking at ${files[0].name}` : `Looking at ${files.length} photos`);
  files.forEach((file, index) => {
    const card = addCard(file, find("cards"), first);
    card.options = chosen;
    cards.add(card);
    card.onRemove = () => forget(card);
    queue.add(() => describe(card));
    if (!index) card.element.scrollIntoView({block: "nearest", behavior: "smooth"});
  });
  count();
}

async function describe(card) {
  if (!cards.has(card)) return;
  card.look();
  const evidence = light() === "evidence";
  try {
    card.show(await backend.caption(card.file, {...card.options, evidence}));
    say(card.summary());
  } catch (error) {
    card.fail(error.message);
    say(`${card.file.name}: ${error.message}`);
  }
  count();
}

// Evidence takes several times as long as the caption, so that it is looked for only once it is asked for.
function findEvidence() {
  if (light() !== "evidence") return;
  for (const card of cards) {
    if (card.lacksEvidence()) queue.add(() => explain(card));
  }
}

async function explain(card) {
  if (!cards.has(card) || !card.lacksEvidence()) return;
  card.look();
  try {
    card.explain(await backend.caption(card.file, {...card.options, evidence: true}));
  } catch (error) {
    card.explain(null);
    say(`${card.file.name}: ${error.message}`);
  }
}

function forget(card) {
  cards.delete(card);
  count();
  find("bar").hidden = cards.size === 0;
  if (!cards.size) find("choose").focus();
}

function load() {
  const bar = find("loading"), progress = find("loaded");
  const patience = setTimeout(() => { bar.hidden = false; }, 300);
  backend.start(share => { progress.value = share; }, promise => { find("promise").textContent = promise; })
    .then(() => { bar.hidden = true; }, error => {
      bar.hidden = false;
      bar.classList.add("failed");
      bar.textContent = `The model could not be loaded: ${error.message}. Reload the page to try again.`;
      say(bar.textContent);
    })
    .finally(() => clearTimeout(patience));
}

find("promise").textContent = backend.PROMISE;
find("clear").addEventListener("click", () => [...cards].forEach(card => card.remove()));
document.querySelector(".switch").addEventListener("change", findEvidence);
takeIn(find("intake"), find("choose"), find("files"), add, refuse);
foldAway(document.querySelector(".options"));
offerCamera(find("photograph"), find("camera"), find("capture"), add, say);
offerExamples(find("examples"), add);
load();
