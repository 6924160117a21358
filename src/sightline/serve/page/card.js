// One photo on the page: waiting, looked at, then its caption word by word, or why there is none.

import {copy} from "./copy.js";
import {byAttention, byEvidence} from "./emphasis.js";
import {showPicture} from "./picture.js";
import {chance, inWords, isJudged} from "./sureness.js";

const template = document.getElementById("card");

// A card for `file` in `place`, before `next`.
export function addCard(file, place, next) {
  const element = template.content.firstElementChild.cloneNode(true);
  place.insertBefore(element, next);
  return new Card(file, element);
}

class Card {
  constructor(file, element) {
    Object.assign(this, {file, element, caption: null, onRemove: () => {}});
    this.part(".name").textContent = file.name;
    this.part(".remove").setAttribute("aria-label", `Remove ${file.name}`);
    this.part(".remove").addEventListener("click", () => this.remove());
    this.part(".copy").addEventListener("click", event => copy(this.caption.caption, event.currentTarget));
    this.hide = showPicture(file, this.part(".view"));
  }

  part(selector) {
    return this.element.querySelector(selector);
  }

  look() {
    this.element.classList.add("looking");
    this.part(".state").textContent = "Looking";
  }

  show(caption) {
    this.caption = {...caption, evidence: caption.evidence ?? undefined};
    const {attention, words} = caption;
    this.element.classList.remove("waiting", "looking");
    this.part("h2").textContent = this.part("img").alt = caption.caption;
    const canvas = this.part("canvas");
    canvas.dataset.rows = attention[0]?.length ?? 1;
    canvas.dataset.columns = attention[0]?.[0].length ?? 1;
    this.part(".sentence").replaceChildren(...words.map((word, index) => wordButton(caption, index)));
    this.part(".score b").textContent = score(caption);
    this.part(".alternatives").replaceChildren(...caption.alternatives.map(alternative));
    this.part("h3").hidden = !caption.alternatives.length;
    this.part(".note").textContent = sentence(caption.note ?? "");
    this.part(".sureness").replaceChildren(...sureness(caption));
    this.part(".keywords").replaceChildren(...keywords(caption));
  }

  // For those who listen.
  summary() {
    const told = [".note", ".sureness"].map(name => this.part(name).textContent).filter(text => text);
    return [`${this.file.name}: ${this.caption.caption}`, ...told.map(sentence)].join(". ");
  }

  fail(reason) {
    this.element.classList.remove("looking");
    this.element.classList.add("failed");
    this.part(".state").textContent = sentence(reason);
  }

  lacksEvidence() {
    return this.caption !== null && this.caption.evidence === undefined;
  }

  // The words stay as they are, with whatever a person has lit; null where there is no evidence to be had.
  explain(caption) {
    this.element.classList.remove("looking");
    this.caption.evidence = caption?.evidence ?? null;
    this.element.querySelectorAll(".word").forEach((word, index) => {
      if (this.caption.evidence) word.dataset.evidence = byEvidence(this.caption.evidence[index]);
    });
    // explain.js draws what is lit anew when the switch says so.
    document.querySelector(".switch input:checked").dispatchEvent(new Event("change", {bubbles: true}));
  }

  remove() {
    this.hide();
    this.element.remove();
    this.onRemove();
  }
}

function wordButton(caption, index) {
  const {words, log_probs, attention, evidence, word_confidence} = caption;
  const button = document.createElement("button"), word = document.createElement("span");
  const share = document.createElement("small"), probability = Math.exp(log_probs[index]);
  Object.assign(button, {type: "button", className: "word", tabIndex: index ? -1 : 0});
  button.setAttribute("aria-pressed", "false");
  button.style.setProperty("--p", probability.toFixed(3));
  button.dataset.light = byAttention(attention[index]);
  if (evidence) button.dataset.evidence = byEvidence(evidence[index]);
  const confidence = isJudged(caption) ? word_confidence?.[index] ?? null : null;
  if (confidence !== null) {  // of a noun; explain.js shows it while the word is lit
    Object.assign(button.dataset, {sure: inWords(confidence), chance: chance(confidence, `“${words[index]}”`)});
    button.setAttribute("aria-description", `${button.dataset.sure}: ${button.dataset.chance}`);
  }
  word.textContent = words[index];
  share.textContent = `${Math.round(100 * probability)}%`;
  button.append(word, " ", share);
  return button;
}

// Nothing where the model does not tell.
function sureness(caption) {
  const {confidence} = caption;
  return isJudged(caption) ? [element("b", inWords(confidence)), ` ${chance(confidence, "all of this")}`] : [];
}

function keywords({keywords}) {
  return keywords?.length ? [element("span", "Keywords"), " ", element("bdi", keywords.map(({word}) => word).join(", "))] : [];
}

function element(name, text) {
  return Object.assign(document.createElement(name), {textContent: text});
}

function alternative(other) {
  const row = document.createElement("li"), text = document.createElement("span"), rank = document.createElement("b");
  text.dir = "auto";
  text.textContent = other.caption;
  rank.textContent = score(other);
  row.append(text, " ", rank);
  return row;
}

const sentence = text => text.charAt(0).toUpperCase() + text.slice(1);
const score = caption => caption.score.toFixed(2).replace("-", "−");
