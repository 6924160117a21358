// <sightline-caption>: a picture and, below it, what the model says of it. Its use and its style: README.md.

import {load} from "./sightline.js";

const STYLE = `
  :host { display: block; }
  :host([hidden]), [hidden] { display: none; }
  img, ::slotted(img) { display: block; max-width: 100%; height: auto; }
  p { margin: .5em 0 0; min-height: 1lh; line-height: 1.4; overflow-wrap: anywhere; }
  p[part~="busy"], p[part="note"] { opacity: .7; }
  p[part="note"] { margin-top: .15em; font-size: .85em; }
  progress { display: block; width: 100%; height: 4px; margin-top: .5em; accent-color: currentcolor; }
`;
const SHADOW = `
  <slot><img part="image" hidden></slot>
  <p part="text" dir="auto"></p>
  <p part="note" hidden></p>
  <progress part="progress" aria-label="Loading the model" hidden></progress>
`;
const LOOKING = "Looking at the picture";
const SOURCE = "sightline";  // marks alt texts that no person wrote, as `sightline alt --draft` does

// Where a server renders pages there are no elements; this file can be imported there all the same.
export class SightlineCaption extends (globalThis.HTMLElement ?? Object) {
  static observedAttributes = ["src"];
  static #captioner = null;
  static #waiting = new Set();  // elements that the model is loaded for

  caption = null;
  #root = this.attachShadow({mode: "open"});
  #internals = this.attachInternals();
  #looking = null;  // stops the caption that is under way
  #seen = "";  // the address of the picture that it is of

  constructor() {
    super();
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    this.#root.adoptedStyleSheets = [style];  // which needs nothing of a page's security policy
    this.#root.innerHTML = SHADOW;
    this.#internals.role = "figure";
    // Also what the browser cannot show is looked at, for the reason that there is no caption.
    for (const kind of ["load", "error"]) {
      this.#root.addEventListener(kind, () => {
        this.#part("img").hidden = !this.#part("img").naturalWidth;
        this.#look();
      }, true);
    }
    this.#part("slot").addEventListener("slotchange", () => this.#look());
  }

  // The promise of what captions the pictures of all elements: what it was set to, or `load()`, once it is needed.
  static get captioner() {
    const onProgress = progress => SightlineCaption.#waiting.forEach(element => element.#showProgress(progress));
    return SightlineCaption.#captioner ??= load({onProgress}).catch(error => {
      SightlineCaption.#captioner = null;  // the next picture tries again
      throw error;
    });
  }

  static set captioner(captioner) {
    SightlineCaption.#captioner = captioner;
  }

  get src() {
    return this.getAttribute("src") ?? "";
  }

  set src(address) {
    this.setAttribute("src", address);
  }

  // The <img> within this element, or its own.
  get image() {
    return this.querySelector("img") ?? this.#part("img");
  }

  connectedCallback() {
    this.#look();
  }

  disconnectedCallback() {
    this.#stop();
  }

  attributeChangedCallback() {
    const image = this.#part("img");
    image.loading = this.getAttribute("loading") ?? "eager";
    image.src = this.src;
    this.#look();
  }

  async #look() {
    const {image} = this, address = image.src || image.currentSrc;
    if (!this.isConnected || !image.complete || !address || address === this.#seen) return;
    this.#stop();
    this.#seen = address;
    const {signal} = this.#looking = new AbortController();
    this.#begin(image);
    try {
      await null;  // whoever imports this file may set another captioner first
      const captioner = await SightlineCaption.captioner;
      this.#finish(image, await captioner.caption(image, {signal}));
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #stop() {
    this.#looking?.abort();
    this.#seen = "";
    SightlineCaption.#waiting.delete(this);
  }

  #begin(image) {
    SightlineCaption.#waiting.add(this);
    this.caption = null;
    if (image.dataset.altSource === SOURCE) image.removeAttribute("alt");
    this.#say(LOOKING, "busy");
  }

  #finish(image, caption) {
    this.caption = caption;
    this.#say(caption.text, "done", caption.note);
    if (!image.hasAttribute("alt") && !caption.note) {
      image.alt = caption.text;
      image.dataset.altSource = SOURCE;
      this.#part("p").ariaHidden = "true";  // or it would be read twice
    }
    this.dispatchEvent(new CustomEvent("caption", {detail: caption, bubbles: true, composed: true}));
  }

  #fail(error) {
    this.#say(sentence(error.message), "failed");
    this.dispatchEvent(new ErrorEvent("error", {error, message: error.message}));
  }

  // note: the model's own warning, which only some captions have.
  #say(text, state, note = "") {
    const line = this.#part("p"), below = this.#part("[part=note]");
    line.textContent = text;
    line.setAttribute("part", `text ${state}`);
    line.ariaHidden = null;
    below.textContent = sentence(note);
    below.hidden = !note;
    this.#internals.ariaBusy = String(state === "busy");
    if (state === "busy") return;
    SightlineCaption.#waiting.delete(this);
    this.#part("progress").hidden = true;
  }

  #showProgress({loaded, total}) {
    const bar = this.#part("progress");
    bar.hidden = false;
    bar.value = loaded / total;
    this.#part("p").textContent = loaded < total ? "Loading the model" : LOOKING;
    this.dispatchEvent(new ProgressEvent("progress", {lengthComputable: true, loaded, total}));
  }

  #part(name) {
    return this.#root.querySelector(name);
  }
}

const sentence = text => text.charAt(0).toUpperCase() + text.slice(1);

if (globalThis.customElements && !customElements.get("sightline-caption")) {
  customElements.define("sightline-caption", SightlineCaption);
}
