"""A report's page: one HTML file with its photos and charts embedded."""

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
from sightline.evaluation.confidence import confidence_section
from sightline.evaluation.meanings import meaning_of
from sightline.evaluation.pointing import Look, by_noun
from sightline.evaluation.protocol import Evaluation
from sightline.evaluation.scores import in_print
from sightline.explain.page import article, fill
from sightline.metrics import METRICS, Corpus, Score, quick_metrics
from sightline.model_folder import training_in_words

EXTREMES = 6  # best captions shown, and worst
CONTRASTS = 10  # words shown that the model uses too often, and too rarely
NOUNS = 15  # most frequent nouns shown
POINTING_EXTREMES = 4  # photos shown where attention fits the boxes best, and worst


def write_report_page(path: Path, evaluation: Evaluation) -> None:
    """Write the page of an evaluation; it needs no other file and no network.

    Raises `SightlineError` if a photo that is shown can no longer be read.
    """
    protocol, scores = evaluation.protocol, evaluation.scores
    texts = {photo: caption.text for photo, caption in evaluation.captions.items()}
    corpus = Corpus.of_captions(texts, evaluation.references, tokenizer=scores.tokenizer)
    model = corpus.hypotheses
    references = [caption for captions in corpus.references for caption in captions]
    # Diversity of people's captions, one a photo, as many as the model's: the more text, the more repetition.
    firsts = replace(corpus, hypotheses=tuple(captions[0] for captions in corpus.references))
    people = {score.name: score for score in METRICS["diversity"](firsts)}
    variety = ((_name(name), _cell(scores.scores[name]), _cell(score)) for name, score in people.items())
    often, rarely = _contrasts(_shares(model), _shares(references))
    per_photo = scores.per_photo("CIDEr")
    assert per_photo is not None
    ciders = dict(zip(scores.photos, per_photo, strict=True))
    best, worst = _extremes(ciders)
    page = fill(
        _template("page.html"),
        TITLE=html.escape(f"{protocol.model['name']} on {protocol.data['name']}, {protocol.split}"),
        SUMMARY=_summary(evaluation),
        WARNINGS=_warnings(protocol.warnings),
        SCORES=_scores(
            [score for score in scores.scores.values() if score.name not in people],
            scores.intervals(),
            _of_people(corpus) | _hallucinated_by_people(scores.scores),
        ),
        PROTOCOL=_protocol(evaluation),
        LENGTHS=_lengths(model, references),
        VARIETY=_beside_people(variety),
        OFTEN=_beside_people(often),
        SELDOM=_beside_people(rarely),
        BEST="".join(_photo(evaluation, photo, ciders[photo]) for photo in best),
        WORST="".join(_photo(evaluation, photo, ciders[photo]) for photo in worst),
        CONFIDENCE=confidence_section(evaluation.judged),
        POINTING=pointing_section(evaluation),
        VERSION=__version__,
    )
    # A file name need not be valid text.
    path.write_text(page, encoding="utf-8", errors="backslashreplace")


def _template(name: str) -> str:
    return resources.files("sightline.evaluation").joinpath(name).read_text(encoding="utf-8")


def _summary(evaluation: Evaluation) -> str:
    beam_size, photos = evaluation.protocol.beam_size, len(evaluation.captions)
    search = "greedy decoding" if beam_size == 1 else f"beam search, beam size {beam_size}"
    cider, bleu = (in_print(name, evaluation.scores[name] or 0.0) for name in ("CIDEr", "BLEU-4"))
    return f"{photos:,} photo{'s' * (photos != 1)}, {search}: CIDEr <b>{cider}</b>, BLEU-4 <b>{bleu}</b>"


def _warnings(warnings: Sequence[str]) -> str:
    items = "".join(f"<li>{html.escape(warning[:1].upper() + warning[1:])}.</li>\n" for warning in warnings)
    return f'<ul class="warnings" aria-label="Warnings">\n{items}</ul>' if warnings else ""


def _of_people(corpus: Corpus) -> dict[str, float]:
    """What each photo's first reference scores against its others: one fewer than the model has, so a little low."""
    if any(len(captions) < 2 for captions in corpus.references):
        return {}
    firsts, others = zip(*((captions[0], captions[1:]) for captions in corpus.references), strict=True)
    people = replace(corpus, hypotheses=firsts, references=others)
    scores = [score for name in quick_metrics() for score in METRICS[name](people)]
    return {score.name: score.value for score in scores if score.value is not None}


def _hallucinated_by_people(scores: Mapping[str, Score]) -> dict[str, float]:
    baseline = scores.get("people's hallucinated nouns")
    return {} if baseline is None or baseline.value is None else {"hallucinated nouns": baseline.value}


def _scores(scores: Sequence[Score], intervals: Mapping[str, tuple[float, float]], people: Mapping[str, float]) -> str:
    """A row for each score: its name and meaning, the number, people's, its interval, a chart: a dot on a bar."""
    ends = [intervals.get(score.name, (score.value or 0.0, score.value or 0.0)) for score in scores]
    top = max(1.0, math.ceil(5 * max(high for _, high in ends)) / 5)
    rows = ""
    for score, (low, high) in zip(scores, ends, strict=True):
        if score.value is None:
            cells = f'<td>–</td><td colspan="3" class="note">{html.escape(score.note)}</td>'
        else:
            interval = " to ".join(in_print(score.name, end) for end in intervals.get(score.name, ()))
            chart = (
                '<svg aria-hidden="true"><line class="axis" x2="100%" y1="50%" y2="50%"/>'
                f'<line class="whisker" x1="{low / top:.2%}" x2="{high / top:.2%}" y1="50%" y2="50%"/>'
                f'<circle class="model" cx="{score.value / top:.2%}" cy="50%" r="4"/></svg>'
            )
            beside = in_print(score.name, people[score.name]) if score.name in people else ""
            cells = f'<td><b>{_cell(score)}</b></td><td>{interval}</td><td>{beside}</td><td class="chart">{chart}</td>'
        rows += f"<tr><th>{_name(score.name)}</th>{cells}</tr>\n"
    axis = f'<th class="chart"><span>0</span><span>{100 * top:.0f}</span></th>'
    return _table(f"<th>score</th><th>95% interval</th><th>people</th>{axis}", rows)


def _name(score: str) -> str:
    """A score's name as HTML, with an arrow in the direction that is better, and what it counts."""
    text, better = meaning_of(score)
    arrow = {"higher": "↑", "lower": "↓"}.get(better, "")
    direction = f' <span class="better" title="{better} is better">{arrow}</span>' if arrow else ""
    return f"{html.escape(score)}{direction}" + f"<small>{html.escape(text)}</small>" * bool(text)


def _table(head: str, rows: str) -> str:
    return f"<table>\n<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"


def _protocol(evaluation: Evaluation) -> str:
    protocol = evaluation.protocol
    model, data, training = protocol.model, protocol.data, protocol.model["training"]
    lists = {"files": "the dataset's own lists", "derived": "file names, as it has no lists"}
    facts = {
        "Model": f"{model['name']}, {model['precision']}",
        "Training": ", ".join(f"{name}: {value}" for name, value in training_in_words(training).items()) or "unknown",
        "Data": f"{data['name']} ({data['layout']} layout), {protocol.split}, by {lists[data['split_source']]}",
        "References": f"{sum(map(len, evaluation.references.values())):,}",
        "Decoding": f"free-running, beam size {protocol.beam_size}, length penalty {protocol.length_penalty:g}"
        + ", repeats allowed" * protocol.allow_repeats,
        "Tokenizer": str(evaluation.scores.as_dict()["tokenizer"]),
    }
    rows = [f"<dt>{name}</dt><dd>{html.escape(fact)}</dd>\n" for name, fact in facts.items()]
    for name, fingerprint in (("Model fingerprint", model["fingerprint"]), ("Data fingerprint", data["fingerprint"])):
        rows.append(f"<dt>{name}</dt><dd><code>{fingerprint}</code></dd>\n")
    rows.append(f"<dt>Signature of the scores</dt><dd><code>{html.escape(evaluation.scores.signature)}</code></dd>\n")
    return f"<dl>\n{''.join(rows)}</dl>"


def _lengths(model_captions: Sequence[str], references: Sequence[str]) -> str:
    """A histogram with two bars for each number of words: the share of the model's captions and of people's."""
    words = [[len(caption.split()) for caption in captions] for captions in (model_captions, references)]
    # A few very long references would squeeze the rest: the last bars count all captions from there on.
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
        f'<text class="top" x="0" y="14">{top:.0%}</text>{drawn}</svg>'
    )


def _beside_people(rows: Iterable[tuple[str, str, str]]) -> str:
    """A table of names, which are HTML, each with the model's value and people's."""
    cells = (f"<tr><th>{name}</th><td>{a}</td><td>{b}</td></tr>\n" for name, a, b in rows)
    return _table("<th>model</th><th>people</th>", "".join(cells))


def _cell(score: Score) -> str:
    return "–" if score.value is None else in_print(score.name, score.value)


def _shares(captions: Sequence[str]) -> dict[str, float]:
    """Word -> the share of captions that contain it."""
    counts = Counter(word for caption in captions for word in set(caption.split()))
    return {word: count / len(captions) for word, count in counts.items()}


def _contrasts(model: Mapping[str, float], people: Mapping[str, float]) -> list[list[tuple[str, str, str]]]:
    """The words that the model uses most too often, and most too rarely, each with its share of captions."""
    words = sorted(model.keys() | people.keys())
    excess = {word: model.get(word, 0.0) - people.get(word, 0.0) for word in words}
    often = sorted(filter(lambda word: excess[word] > 0, words), key=lambda word: -excess[word])
    rarely = sorted(filter(lambda word: excess[word] < 0, words), key=excess.__getitem__)
    return [
        [
            (html.escape(word), f"{model.get(word, 0.0):.1%}", f"{people.get(word, 0.0):.1%}")
            for word in contrast[:CONTRASTS]
        ]
        for contrast in (often, rarely)
    ]


def _extremes(ciders: Mapping[str, float]) -> tuple[list[str], list[str]]:
    """The photos with the highest CIDEr, best first, and with the lowest, worst first; none is in both."""
    order = sorted(ciders, key=lambda photo: -ciders[photo])
    best = order[: min(EXTREMES, (len(order) + 1) // 2)]
    return best, order[len(best) :][-EXTREMES:][::-1]


def _photo(evaluation: Evaluation, photo: str, cider: float) -> str:
    example = evaluation.examples[photo]
    references = "".join(f'<li dir="auto">{html.escape(caption)}</li>\n' for caption in example.captions)
    return article(
        example.photo,
        photo,
        replace(evaluation.captions[photo], alternatives=(), evidence=None),
        facts=f"<span>CIDEr <b>{in_print('CIDEr', cider)}</b></span>",
        below=f'<h3>People wrote</h3>\n<ul class="references">\n{references}</ul>\n',
    )


_COLUMNS = {
    "attention points": "points",
    "evidence points": "evidence_points",
    "middle of photo": "middle_points",
    "random cell": "random_points",
    "attention's mass": "mass",
    "uniform mass": "uniform_mass",
}


def pointing_section(evaluation: Evaluation) -> str:
    """The section on pointing as HTML: a table by noun, photos with boxes; empty if no generated noun has boxes."""
    if not evaluation.looks:
        return ""
    groups = list(by_noun(evaluation.looks).items())[:NOUNS]
    rows = "".join(_noun_row(noun, looks) for noun, looks in [("all nouns", evaluation.looks), *groups])
    best, worst = _pointing_extremes(evaluation.looks)
    return fill(
        _template("pointing.html"),
        NOUNS=_table("".join(f"<th>{name}</th>" for name in ("count", *_COLUMNS)), rows),
        BEST="".join(_pointing_photo(evaluation, look) for look in best),
        WORST="".join(_pointing_photo(evaluation, look) for look in worst),
    )


def _noun_row(noun: str, looks: Sequence[Look]) -> str:
    cells = ""
    for key in _COLUMNS.values():
        values = [getattr(look, key) for look in looks]
        cells += "<td>–</td>" if None in values else f"<td>{100 * np.mean(np.array(values, float)):.1f}</td>"
    return f"<tr><th>{html.escape(noun)}</th><td>{len(looks):,}</td>{cells}</tr>\n"


def _pointing_extremes(looks: Iterable[Look]) -> tuple[list[Look], list[Look]]:
    """The looks furthest above uniform attention, best first, and furthest below, worst first; one a photo."""
    order = sorted(looks, key=lambda look: look.uniform_mass - look.mass)
    best: dict[str, Look] = {}
    worst: dict[str, Look] = {}
    for look in order:
        if look.mass >= look.uniform_mass and len(best) < POINTING_EXTREMES:
            best.setdefault(look.photo, look)
    for look in reversed(order):
        if look.mass < look.uniform_mass and look.photo not in best and len(worst) < POINTING_EXTREMES:
            worst.setdefault(look.photo, look)
    return list(best.values()), list(worst.values())


def _pointing_photo(evaluation: Evaluation, look: Look) -> str:
    mass = f"<b>{100 * look.mass:.0f}</b>% of attention in {100 * look.uniform_mass:.0f}% of the photo"
    boxes = "".join(
        f'<rect x="{left:.4f}" y="{top:.4f}" width="{right - left:.4f}" height="{bottom - top:.4f}"/>'
        for left, top, right, bottom in look.boxes.tolist()
    )
    return article(
        evaluation.examples[look.photo].photo,
        look.photo,
        replace(evaluation.captions[look.photo], alternatives=(), evidence=None),
        facts=f"<span>{html.escape(look.noun)}: {mass}</span>",
        over=f'<svg class="boxes" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">{boxes}</svg>\n',
    )
