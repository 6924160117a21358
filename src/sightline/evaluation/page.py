"""A report's page: one HTML file, with its photos and drawings in it."""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

import numpy as np

from sightline._version import __version__
from sightline.evaluation.page_pointing import pointing_section
from sightline.evaluation.protocol import Evaluation
from sightline.evaluation.scores import Scores, in_print
from sightline.explain.page import article, fill
from sightline.metrics import METRICS, Corpus, Score

EXTREMES = 6  # the best captions shown, and the worst
CONTRASTS = 10  # the words shown that are said too often, and too seldom

_LEGEND = "".join(
    f'<li><svg aria-hidden="true"><rect class="{kind}" width="100%" height="100%"/></svg>{kind}</li>'
    for kind in ("model", "people")
)


def write_report_page(path: Path, evaluation: Evaluation) -> None:
    """Write the page of an evaluation; it needs no other file and no network.

    Raises `SightlineError` where a photo that is shown can no longer be read.
    """
    protocol, scores = evaluation.protocol, evaluation.scores
    texts = {photo: caption.text for photo, caption in evaluation.captions.items()}
    corpus = Corpus.of_captions(texts, evaluation.references, tokenizer=scores.tokenizer)
    said, written = corpus.hypotheses, corpus.references
    all_written = [caption for captions in written for caption in captions]
    people = _variety_of_people(corpus)
    often, seldom = _contrasts(_shares(said), _shares(all_written))
    best, worst = _extremes(scores)
    page = fill(
        resources.files("sightline.evaluation").joinpath("page.html").read_text(encoding="utf-8"),
        TITLE=html.escape(f"{protocol.model['name']} on {protocol.data['name']}, {protocol.split}"),
        SUMMARY=_summary(evaluation),
        WARNINGS=_warnings(protocol.warnings),
        SCORES=_scores([score for score in scores.scores.values() if score.name not in people], scores.intervals()),
        PROTOCOL=_protocol(evaluation),
        LENGTHS=_lengths(said, all_written),
        VARIETY=_variety([score for score in scores.scores.values() if score.name in people], people),
        OFTEN=_words(often),
        SELDOM=_words(seldom),
        BEST="".join(_photo(evaluation, photo) for photo in best),
        WORST="".join(_photo(evaluation, photo) for photo in worst),
        POINTING=pointing_section(evaluation),
        VERSION=__version__,
    )
    # A file name need not be valid text.
    path.write_text(page, encoding="utf-8", errors="backslashreplace")


# ---- Scores and protocol


def _summary(evaluation: Evaluation) -> str:
    beam_size, photos = evaluation.protocol.beam_size, len(evaluation.captions)
    search = "greedy decoding" if beam_size == 1 else f"beam search, beam size {beam_size}"
    cider, bleu = (in_print(name, evaluation.scores[name] or 0.0) for name in ("CIDEr", "BLEU-4"))
    return f"{photos:,} photo{'s' * (photos != 1)}, {search}: CIDEr <b>{cider}</b>, BLEU-4 <b>{bleu}</b>"


def _warnings(warnings: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(warning[:1].upper() + warning[1:])}.</li>\n" for warning in warnings)
    return f'<ul class="warnings" aria-label="Warnings">\n{items}</ul>' if warnings else ""


def _scores(scores: Sequence[Score], intervals: Mapping[str, tuple[float, float]]) -> str:
    """A row a score: its number, its interval, and both drawn on one axis for all."""
    ends = [intervals.get(score.name, (score.value or 0.0, score.value or 0.0)) for score in scores]
    top = max(1.0, math.ceil(5 * max(high for _, high in ends)) / 5)
    rows = ""
    for score, (low, high) in zip(scores, ends, strict=True):
        if score.value is None:
            cells = f'<td>–</td><td colspan="2" class="note">{html.escape(score.note)}</td>'
        else:
            told = f"{in_print(score.name, low)} to {in_print(score.name, high)}" if score.name in intervals else ""
            drawn = _whisker(low / top, score.value / top, high / top)
            cells = f'<td><b>{in_print(score.name, score.value)}</b></td><td>{told}</td><td class="chart">{drawn}</td>'
        rows += f"<tr><th>{html.escape(score.name)}</th>{cells}</tr>\n"
    axis = f'<th class="chart"><span>0</span><span>{100 * top:.0f}</span></th>'
    return _table(f"<th>score</th><th>95% interval</th>{axis}", rows)


def _table(head: str, rows: str) -> str:
    return f"<table>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"


def _whisker(low: float, value: float, high: float) -> str:
    """A dot on a bar from ``low`` to ``high``, all as shares of the axis."""
    return (
        '<svg aria-hidden="true"><line class="axis" x2="100%" y1="50%" y2="50%"/>'
        f'<line class="whisker" x1="{low:.2%}" x2="{high:.2%}" y1="50%" y2="50%"/>'
        f'<circle class="model" cx="{value:.2%}" cy="50%" r="4"/></svg>'
    )


def _protocol(evaluation: Evaluation) -> str:
    protocol = evaluation.protocol
    model, data, training = protocol.model, protocol.data, protocol.model["training"]
    lists = {"files": "the dataset's own lists", "derived": "file names, for want of lists"}
    facts = {
        "Model": f"{model['name']}, {model['precision']}",
        "Training": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in training.items()) or "not known",
        "Data": f"{data['name']} ({data['layout']} layout), {protocol.split}, by {lists[data['split_source']]}",
        "References": f"{sum(map(len, evaluation.references.values())):,}, as they were written",
        "Decoding": f"free-running, beam size {protocol.beam_size}, length penalty {protocol.length_penalty:g}",
        "Tokenizer": str(evaluation.scores.as_dict()["tokenizer"]),
    }
    rows = [f"<dt>{name}</dt><dd>{html.escape(fact)}</dd>\n" for name, fact in facts.items()]
    for name, fingerprint in (("Model fingerprint", model["fingerprint"]), ("Data fingerprint", data["fingerprint"])):
        rows.append(f"<dt>{name}</dt><dd><code>{fingerprint}</code></dd>\n")
    return f"<dl>\n{''.join(rows)}</dl>"


# ---- Lengths and words


def _lengths(said: Sequence[str], written: Sequence[str]) -> str:
    """A histogram with two bars for each number of words: the share of the model's captions and of people's."""
    words = [[len(caption.split()) for caption in captions] for captions in (said, written)]
    # A handful of rambling references would squeeze all else: the last bars hold everything from there on.
    last = max(max(words[0]), int(np.quantile(words[1], 0.995)))
    model, people = (np.bincount(np.minimum(lengths, last), minlength=last + 1) / len(lengths) for lengths in words)
    top = max(model.max(), people.max())
    drawn = ""
    for length in range(last + 1):
        name = f"{length}{'+' * (length == last < max(words[1]))}"
        if length % 2 == last % 2:
            drawn += f'<text x="{20 * length + 10}" y="178">{name}</text>'
        for index, (kind, share) in enumerate((("model", model[length]), ("people", people[length]))):
            if share:
                height = 140 * share / top
                drawn += (
                    f'<rect class="{kind}" x="{20 * length + 2 + 8 * index}" y="{160 - height:.1f}" width="8"'
                    f' height="{height:.1f}"><title>{kind}, {name} words: {share:.1%}</title></rect>'
                )
    return (
        f'<svg class="histogram" viewBox="0 0 {20 * last + 20} 182" role="img" aria-label="Histogram of lengths">'
        f'<path class="axis" d="M0 20H{20 * last + 20}M0 160H{20 * last + 20}"/>'
        f'<text class="top" x="0" y="14">{top:.0%}</text>{drawn}</svg>\n<ul class="legend">{_LEGEND}</ul>'
    )


def _variety_of_people(corpus: Corpus) -> dict[str, Score]:
    """How varied people's captions are, one a photo: as many as the model's, as more text repeats itself more."""
    firsts = replace(corpus, hypotheses=tuple(captions[0] for captions in corpus.references))
    return {score.name: score for score in METRICS["diversity"](firsts)}


def _variety(model: Sequence[Score], people: Mapping[str, Score]) -> str:
    rows = ((score.name, _cell(score), _cell(people[score.name])) for score in model)
    return _beside_people(rows)


def _beside_people(rows: Iterable[tuple[str, str, str]]) -> str:
    """A table of names, each with the model's value and people's."""
    cells = (f"<tr><th>{html.escape(name)}</th><td>{a}</td><td>{b}</td></tr>\n" for name, a, b in rows)
    return _table("<th>model</th><th>people</th>", "".join(cells))


def _cell(score: Score) -> str:
    return "–" if score.value is None else in_print(score.name, score.value)


def _shares(captions: Sequence[str]) -> dict[str, float]:
    """Word -> the share of captions that hold it."""
    counts = Counter(word for caption in captions for word in set(caption.split()))
    return {word: count / len(captions) for word, count in counts.items()}


Contrast = tuple[str, float, float]  # word, share of the model's captions, share of people's


def _contrasts(model: Mapping[str, float], people: Mapping[str, float]) -> tuple[list[Contrast], list[Contrast]]:
    """The words that the model says most too often, and most too seldom."""
    words = sorted(model.keys() | people.keys())
    all_words = [(word, model.get(word, 0.0), people.get(word, 0.0)) for word in words]
    often = sorted(all_words, key=lambda word: word[2] - word[1])[:CONTRASTS]
    seldom = sorted(all_words, key=lambda word: word[1] - word[2])[:CONTRASTS]
    return [word for word in often if word[1] > word[2]], [word for word in seldom if word[1] < word[2]]


def _words(words: Iterable[Contrast]) -> str:
    return _beside_people((word, f"{model:.1%}", f"{people:.1%}") for word, model, people in words)


# ---- Photos


def _extremes(scores: Scores) -> tuple[list[str], list[str]]:
    """The photos with the highest CIDEr, best first, and those with the lowest, worst first; none is in both."""
    ciders = scores.scores["CIDEr"].per_photo
    assert ciders is not None
    order = [scores.photos[index] for index in np.argsort(-ciders, kind="stable")]
    best = order[: min(EXTREMES, (len(order) + 1) // 2)]
    return best, order[len(best) :][-EXTREMES:][::-1]


def _photo(evaluation: Evaluation, photo: str) -> str:
    example = evaluation.examples[photo]
    per_photo = evaluation.scores.scores["CIDEr"].per_photo
    assert per_photo is not None
    cider = in_print("CIDEr", per_photo[evaluation.scores.photos.index(photo)])
    references = "".join(f'<li dir="auto">{html.escape(caption)}</li>\n' for caption in example.captions)
    return article(
        example.photo,
        photo,
        replace(evaluation.captions[photo], alternatives=(), evidence=None),
        facts=f"<span>CIDEr <b>{cider}</b></span>",
        below=f'<h3>People wrote</h3>\n<ul class="references">\n{references}</ul>\n',
    )
