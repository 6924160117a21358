"""The evaluation protocol: caption a split from pixels alone, score it, and record how."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from sightline._version import __version__
from sightline.caption import Caption
from sightline.captioner import Captioner
from sightline.data.dataset import Dataset
from sightline.data.example import Example
from sightline.data.regions.nouns import nouns_of
from sightline.errors import SightlineError
from sightline.evaluation.confidence import Judged, confidence_scores, judge, keyword_scores
from sightline.evaluation.hallucination import Mention, hallucination_scores, mentions, mentions_of_people
from sightline.evaluation.pointing import Look, looks, pointing_scores
from sightline.evaluation.protocol_warnings import count_photos, trained_by, warnings_about
from sightline.evaluation.scores import Scores, score_captions
from sightline.metrics import METRICS, Score, quick_metrics, tokenizer_of
from sightline.model_folder import CONFIG, ONNX, VOCABULARY
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY

Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Protocol:
    """How scores were made: those of two models are comparable if all else here is the same.

    Attributes:
        split: "train", "val" or "test".
        beam_size: sentences kept at every word of the search.
        length_penalty: sentences were ranked by ``sum(log p) / length ** length_penalty``.
        model: its name, fingerprint, precision, and the record of its training in config.json.
        data: its name, layout, source of splits, and a fingerprint of the photos and captions scored.
        warnings: reasons to doubt the scores, a sentence each.
        allow_repeats: whether sentences may repeat themselves, see `Captioner`.
    """

    split: str
    beam_size: int
    length_penalty: float
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    warnings: tuple[str, ...]
    allow_repeats: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the version and the kind of decoding, which is the same for all."""
        return {"sightline": __version__, "decoding": "free-running", **self.__dict__, "warnings": list(self.warnings)}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A split captioned and scored.

    Attributes:
        protocol: how.
        scores: of the N photos that could be captioned, in the order of the split.
        captions: photo -> the model's caption.
        examples: photo -> its source and references.
        looks: for every generated noun with boxes, where the model looked; see `pointing`.
        mentions: every generated noun of a thing, if the split has boxes; see `hallucination`.
        judged: every caption that has a confidence, against its references; see `confidence`.
    """

    protocol: Protocol
    scores: Scores
    captions: Mapping[str, Caption]
    examples: Mapping[str, Example]
    looks: tuple[Look, ...] = ()
    mentions: tuple[Mention, ...] = ()
    judged: tuple[Judged, ...] = ()

    @property
    def references(self) -> dict[str, list[str]]:
        """Photo -> its references."""
        return {photo: list(example.captions) for photo, example in self.examples.items()}


def evaluate_split(
    captioner: Captioner,
    dataset: Dataset,
    split: str,
    beam_size: int = BEAM_SIZE,
    length_penalty: float = LENGTH_PENALTY,
    meteor: bool = True,
    tokenizer: str = "ptb",
    language: str | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda line: None,
    allow_repeats: bool = False,
) -> Evaluation:
    """Caption every photo of a split once, from its pixels alone, and score the captions.

    A photo that cannot be read is left out, with a warning. If the split has boxes of the things that references name,
    attention and evidence are scored by them.

    Args:
        split, beam_size, length_penalty, allow_repeats: see `Protocol`.
        meteor: whether to run METEOR, which takes longer than all other metrics together.
        tokenizer, language: see `sightline.metrics.Corpus`.
        progress: called with (photos captioned, photos) after each.
        say: as for `Dataset.located_split`.

    Raises:
        SightlineError: the dataset has no such split, the split names a photo twice, no photo of it can be read, or an
            option is impossible.
    """
    tokenizer_of(tokenizer)
    examples = dataset.located_split(split, say)
    image, times = Counter(example.name for example in examples).most_common(1)[0]
    if times > 1:
        raise SightlineError(f"{dataset.root}: the {split!r} split names {image!r} {times} times; keep one")
    nouns = nouns_of(examples)
    # The captioner is given photos, never a reference.
    photos = (example.photo for example in examples)
    results = captioner.stream(photos, beam_size, length_penalty, evidence=bool(nouns), allow_repeats=allow_repeats)
    captions, unread = _readable(examples, results, progress)
    scored = {example.name: example for example in examples if example.name in captions}
    training = captioner.config.training
    protocol = Protocol(
        split,
        beam_size,
        length_penalty,
        model={
            "name": captioner.folder.resolve().name,
            "fingerprint": model_fingerprint(captioner.folder),
            "precision": captioner.precision,
            "training": {key: value for key, value in training.items() if key != "fingerprint"},
        },
        data={
            "name": dataset.root.resolve().name,
            "layout": dataset.layout,
            "split_source": dataset.split_source,
            "fingerprint": data_fingerprint(scored.values()),
        },
        warnings=(*unread, *warnings_about(dataset, split, training)),
        allow_repeats=allow_repeats,
    )
    train = dataset.splits.get("train", ())
    # Captions are novel if they are none of the model's training captions.
    known = [text for example in train for text in example.captions] if trained_by(dataset, training) else None
    scores = score_captions(
        {photo: caption.text for photo, caption in captions.items()},
        {photo: example.captions for photo, example in scored.items()},
        known,
        METRICS if meteor else quick_metrics(),
        tokenizer,
        language,
    )
    if scores.warning:
        protocol = replace(protocol, warnings=(*protocol.warnings, scores.warning))
    judged = judge(captions, scored)
    more = (*confidence_scores(judged), *keyword_scores(captions, scored))
    if not nouns:
        return Evaluation(protocol, _with(scores, more), captions, scored, judged=judged)
    all_looks, all_mentions = looks(captions, scored, nouns), mentions(captions, scored, nouns)
    of_nouns = pointing_scores(all_looks, scores.photos)
    of_nouns += hallucination_scores(all_mentions, mentions_of_people(scored, nouns), scores.photos)
    scores = _with(scores, (*of_nouns, *more))
    return Evaluation(protocol, scores, captions, scored, all_looks, all_mentions, judged)


def _with(scores: Scores, more: Iterable[Score]) -> Scores:
    return replace(scores, scores={**scores.scores, **{score.name: score for score in more}})


def model_fingerprint(folder: Path) -> str:
    """``sha256:`` and 64 hexadecimal digits that change with any byte of the model's three files."""
    files = {name: sha256((folder / name).read_bytes()).hexdigest() for name in (CONFIG, VOCABULARY, ONNX)}
    return "sha256:" + sha256(json.dumps(files).encode()).hexdigest()


def data_fingerprint(examples: Iterable[Example]) -> str:
    """``sha256:`` and 64 digits that change with any photo's name, bytes or captions, but not with their order."""
    lines = [json.dumps([e.name, e.captions, sha256(e.photo.read()).hexdigest()]) for e in examples]
    return "sha256:" + sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _readable(
    examples: Sequence[Example], results: Iterable[Caption | SightlineError], progress: Progress
) -> tuple[dict[str, Caption], list[str]]:
    """Photo -> caption, and a warning if some could not be read."""
    captions: dict[str, Caption] = {}
    errors: list[SightlineError] = []
    for number, (example, result) in enumerate(zip(examples, results, strict=True), start=1):
        if isinstance(result, SightlineError):
            errors.append(result)
        else:
            captions[example.name] = result
        progress(number, len(examples))
    if not captions:
        raise errors[0]
    return captions, [f"not scored: {count_photos(len(errors))}, which cannot be read ({errors[0]})"] if errors else []
