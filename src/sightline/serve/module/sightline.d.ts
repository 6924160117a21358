/** What a page may have of a photo: its file, its address, or its pixels. */
export type Photo =
  | Blob
  | ArrayBuffer
  | ArrayBufferView
  | string
  | URL
  | HTMLImageElement
  | HTMLCanvasElement
  | HTMLVideoElement
  | OffscreenCanvas
  | ImageData
  | ImageBitmap
  | VideoFrame;

/** Bytes of the model and its runtime. `total` is an estimate where these come from addresses of your own. */
export interface Progress {
  readonly loaded: number;
  readonly total: number;
}

export interface LoadOptions {
  /** The address of the folder with `model.onnx`, `config.json` and `vocabulary.json`; by default the one in this package. */
  model?: string | URL;
  /** The address of the folder with `ort-wasm-simd-threaded.wasm`; by default the one in this package. */
  runtime?: string | URL;
  /** The address of `lib/worker.js`, of any origin, or a worker that runs it; by default the one in this package. */
  worker?: string | URL | Worker;
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

export interface CaptionOptions {
  /** Sentences that are kept at each word, 1 to 10; 1 is greedy decoding. Default 3. */
  beamSize?: number;
  /** Sentences are ranked by `sum(log p) / length ** lengthPenalty`. Default 1. */
  lengthPenalty?: number;
  /** Whether to find what each word rests on, too, which takes about twice as long. Default false. */
  evidence?: boolean;
  /** Rejects at once; a photo that still waits is then never looked at. */
  signal?: AbortSignal;
}

/** For each word a grid, row by row. */
export type Maps = number[][][];

export interface Keyword {
  readonly word: string;
  readonly probability: number;
}

/** What is optional is there only if the model gives it. */
export interface Alternative {
  readonly text: string;
  readonly score: number;
  /** The probability that people, too, name every thing that the sentence names. */
  readonly confidence?: number;
}

/** What is optional is there only if the model gives it or it was asked for. */
export interface Caption extends Alternative {
  readonly words: string[];
  /** The natural logarithm of each word's probability. */
  readonly logProbs: number[];
  /** Where the model looked: each word's weights over the photo, which sum to one. */
  readonly attention: Maps;
  /** Other sentences of the search, the best first. */
  readonly alternatives: Alternative[];
  /** What each word rests on: the log-odds that it loses where the model may not look at a cell. */
  readonly evidence?: Maps;
  /** A warning in plain words, as of a photo that is blank, or of what seems to be no photo. */
  readonly note?: string;
  /** `confidence` for each noun alone; null for other words. */
  readonly wordConfidence?: (number | null)[];
  /** "photo", or what the picture seems to be instead. */
  readonly kind?: string;
  /** Words that people would use about the photo, the most probable first. */
  readonly keywords?: Keyword[];
}

/** A model in a worker of its own. Photos are captioned one after the other, in the order in which they came. */
export class Captioner {
  private constructor();
  /** Rejects with an `Error` whose message says, in a sentence for people, why there is no caption. */
  caption(photo: Photo, options?: CaptionOptions): Promise<Caption>;
  /** Ends the worker and frees its memory; captions that are not done are rejected. */
  close(): void;
}

/** Loads the model; rejects with an `Error` whose message says what is in the way. */
export function load(options?: LoadOptions): Promise<Captioner>;
