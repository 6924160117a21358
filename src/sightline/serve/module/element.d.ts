import type {Caption, Captioner} from "./sightline.js";

export interface SightlineCaptionEventMap extends HTMLElementEventMap {
  caption: CustomEvent<Caption>;
  error: ErrorEvent;
  progress: ProgressEvent;
}

/** `<sightline-caption>`: the caption of the `<img>` within it, or of the picture at `src`. */
export class SightlineCaption extends HTMLElement {
  /** What captions the pictures of all elements. By default the model in this package, loaded once it is needed. */
  static get captioner(): Captioner | Promise<Captioner>;
  static set captioner(captioner: Captioner | Promise<Captioner>);
  src: string;
  readonly image: HTMLImageElement;
  readonly caption: Caption | null;
  addEventListener<K extends keyof SightlineCaptionEventMap>(
    type: K,
    listener: (this: SightlineCaption, event: SightlineCaptionEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

declare global {
  interface HTMLElementTagNameMap {
    "sightline-caption": SightlineCaption;
  }
}
