"use strict";
const SHADE = __SHADE__, TINT = __TINT__;  // red, green, blue and opacity where emphasis is 0 and where it is 1
const PIXELS_PER_CELL = 12, GLIDE_MS = 220, WORD_MS = 950;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// ---- Drawing: a grid of emphasis, smoothly upsampled, over the photo

function decode(digits) {
  return Float32Array.from(digits.match(/../g), pair => parseInt(pair, 16) / 255);
}

// Catmull-Rom's cubic: passes through every cell's value at the cell's centre.
function cubic(x) {
  x = Math.abs(x);
  return x < 1 ? (1.5 * x - 2.5) * x * x + 1 : x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

// For every pixel along one side, the cells it draws on and their weights; beyond the edge counts as the edge.
function taps(cells) {
  return Array.from({length: cells * PIXELS_PER_CELL}, (_, pixel) => {
    const place = (pixel + 0.5) / PIXELS_PER_CELL - 0.5, first = Math.floor(place) - 1;
    return [0, 1, 2, 3].map(step => [Math.min(Math.max(first + step, 0), cells - 1), cubic(place - first - step)]);
  });
}

function paint(canvas, light) {
  const rows = Number(canvas.dataset.rows), columns = Number(canvas.dataset.columns);
  const down = taps(rows), across = taps(columns);
  canvas.width = across.length;
  canvas.height = down.length;
  const pen = canvas.getContext("2d"), image = pen.createImageData(canvas.width, canvas.height);
  let offset = 0;
  for (const vertical of down) {
    const row = Array.from({length: columns}, (_, column) =>
      vertical.reduce((sum, [cell, weight]) => sum + weight * light[cell * columns + column], 0));
    for (const horizontal of across) {
      const sum = horizontal.reduce((sum, [cell, weight]) => sum + weight * row[cell], 0);
      const strength = Math.min(Math.max(sum, 0), 1);
      const opacity = SHADE[3] + (TINT[3] - SHADE[3]) * strength;
      for (let channel = 0; channel < 3; channel++) {
        const dark = SHADE[channel] * SHADE[3], warm = TINT[channel] * TINT[3];
        image.data[offset++] = (dark + (warm - dark) * strength) / opacity;
      }
      image.data[offset++] = 255 * opacity;
    }
  }
  pen.putImageData(image, 0, 0);
}

// ---- Showing: at most one word a photo is lit; its light glides over from the word before

const drawn = new WeakMap();  // canvas -> {light, frame}

function glide(canvas, target) {
  const state = drawn.get(canvas) ?? {light: target};
  const from = state.light, start = performance.now();
  const duration = calm.matches || !canvas.classList.contains("lit") ? 0 : GLIDE_MS;
  const step = now => {
    const time = duration ? Math.min(Math.max((now - start) / duration, 0), 1) : 1;
    const share = time * time * (3 - 2 * time);
    state.light = target.map((value, cell) => from[cell] + (value - from[cell]) * share);
    paint(canvas, state.light);
    if (time < 1) state.frame = requestAnimationFrame(step);
  };
  cancelAnimationFrame(state.frame);
  drawn.set(canvas, state);
  step(start);
}

// What the page's switch, if it has one, says to show.
function lightOf(word) {
  const kind = document.querySelector(".switch input:checked")?.value;
  return decode(word.dataset[kind] ?? word.dataset.light);
}

const sentences = new WeakMap();  // .sureness -> what it says while no noun is lit

// How sure the model is: of the noun that is lit, or else of the sentence.
function judge(article, word) {
  const line = article.querySelector(".sureness");
  if (!line?.hasChildNodes()) return;
  if (!sentences.has(line)) sentences.set(line, [...line.childNodes]);
  const sure = document.createElement("b");
  sure.textContent = word?.dataset.sure;
  line.replaceChildren(...word?.dataset.sure ? [sure, ` ${word.dataset.chance}`] : sentences.get(line));
}

function show(article, word) {
  article.querySelector(".shown")?.classList.remove("shown");
  judge(article, word);
  const canvas = article.querySelector("canvas");
  if (word) {
    word.classList.add("shown");
    glide(canvas, lightOf(word));
  }
  canvas.classList.toggle("lit", Boolean(word));
}

function pin(article, word) {
  article.querySelector(".word[aria-pressed=true]")?.setAttribute("aria-pressed", "false");
  word?.setAttribute("aria-pressed", "true");
  show(article, word);
}

// What is lit while nobody points at a word.
function rest(article) {
  show(article, article.querySelector(".word[aria-pressed=true]") ?? article.querySelector(".word:focus-visible"));
}

// ---- Playing: one photo at a time

let playing = null;  // {article, timer}

// Ends the play, wherever it is; article is where something else will be lit next.
function stop(article) {
  if (!playing) return;
  clearTimeout(playing.timer);
  playing.article.classList.remove("playing");
  if (playing.article !== article) rest(playing.article);
  playing = null;
}

function play(article, words, index = 0) {
  if (index === words.length) return stop();
  show(article, words[index]);
  article.classList.add("playing");
  playing = {article, timer: setTimeout(play, WORD_MS, article, words, index + 1)};
}

function pressPlay(article) {
  const words = [...article.querySelectorAll(".word")], wasPlaying = playing?.article === article;
  stop(wasPlaying ? null : article);
  if (calm.matches) {
    const next = words.findIndex(word => word.getAttribute("aria-pressed") === "true") + 1;
    pin(article, words[next] ?? null);
  } else if (!wasPlaying) {
    pin(article, null);
    play(article, words);
  }
}

// ---- Listening: on the document, so that the first photos answer while later ones still load

const wordAt = event => event.target.closest?.(".word");

document.addEventListener("pointerover", event => {
  const word = wordAt(event);
  if (!word || event.pointerType === "touch") return;
  const article = word.closest("article");
  stop(article);
  show(article, word);
});
document.addEventListener("pointerout", event => {
  const sentence = event.target.closest?.(".sentence");
  if (!sentence || event.pointerType === "touch" || sentence.contains(event.relatedTarget)) return;
  rest(sentence.closest("article"));
});
document.addEventListener("focusin", event => {
  const word = wordAt(event);
  if (!word?.matches(":focus-visible")) return;
  const article = word.closest("article");
  stop(article);
  show(article, word);
});
document.addEventListener("focusout", event => {
  const article = wordAt(event)?.closest("article");
  if (article) rest(article);
});
document.addEventListener("click", event => {
  const article = event.target.closest?.("article"), word = wordAt(event);
  if (event.target.closest?.(".play")) pressPlay(article);
  if (!word) return;
  stop(article);
  pin(article, word.getAttribute("aria-pressed") === "true" ? null : word);
});
document.addEventListener("change", event => {
  if (!event.target.closest?.(".switch")) return;
  for (const word of document.querySelectorAll(".word.shown")) show(word.closest("article"), word);
});
document.addEventListener("keydown", event => {
  const word = wordAt(event);
  if (!word || event.ctrlKey || event.metaKey || event.altKey) return;
  const article = word.closest("article"), words = [...article.querySelectorAll(".word")];
  const forward = getComputedStyle(word.parentElement).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const at = words.indexOf(word), last = words.length - 1;
  const to = event.key === "Home" ? 0 : event.key === "End" ? last
    : event.key === forward ? Math.min(at + 1, last)
    : event.key === "ArrowLeft" || event.key === "ArrowRight" ? Math.max(at - 1, 0) : null;
  if (event.key === "Escape") pin(article, null);
  if (to === null) return;
  event.preventDefault();
  word.tabIndex = -1;
  words[to].tabIndex = 0;
  words[to].focus();
});
