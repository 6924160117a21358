"""Calibrate a trained captioner: fit heads for keywords, kind and confidence on photos that it does not know by heart.

The captioner itself is not changed: encoder, decoder and search give the same sentences as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.caption import PHOTO
from sightline.data.dataset import Dataset, read_dataset
from sightline.data.example import Example
from sightline.data.large.packed import Joined
from sightline.data.regions.nouns import singular, words_of
from sightline.errors import SightlineError
from sightline.export.export import Export, export_into
from sightline.metrics.probabilities import area_under_curve, average_precision, brier, calibration_error
from sightline.model_folder import CONFIG, ONNX, VOCABULARY, WEIGHTS, ModelConfig, cache_folder, replacing_folder
from sightline.nn.encoder import fused
from sightline.nn.heads import Heads, KeywordHead, pooled, sentence_features
from sightline.nn.model import CaptionModel
from sightline.nn.model_files import load_model, save_model
from sightline.nn.repeats import repeats_of_model
from sightline.nn.search import Sentences, search
from sightline.not_photos import KINDS, draw
from sightline.preprocess import preprocess
from sightline.sessions import BEAM_SIZE, LENGTH_PENALTY
from sightline.training.calibration_words import Words, choose_words, presence
from sightline.training.data import read_data
from sightline.training.features import FeatureCache
from sightline.training.heads import (
    FOLDS,
    bound_false_alarms,
    cross_fitted,
    fit_keywords,
    fit_kinds,
    fit_logistic,
)
from sightline.vocabulary import SPECIAL_TOKENS, Vocabulary

Progress = Callable[[str, int, int], None]

PICTURES = 500
"""Drawn pictures of each kind that a calibration learns from, by default."""
FALSE_ALARMS = 0.01
"""The share of each dataset's held-out photos that may be taken for no photos."""
_FEWEST_HELD_OUT = 40  # photos; fewer cannot say what a probability is worth
_NEIGHBOURS = 100  # of the baseline for keywords; 30 are worse
_BATCH = 8


@dataclass(frozen=True)
class _Photos:
    """Train or held-out photos: ``examples``, the cache's ``rows`` and which of them is whose, ``x`` (N, D) pooled."""

    examples: Joined
    rows: NDArray[np.float16]
    row: NDArray[np.int64]
    x: Tensor

    def by_dataset(self) -> Sequence[Tensor]:
        """``x`` of each dataset."""
        return self.x.split(list(map(len, self.examples.parts)))

    def features(self, start: int) -> Tensor:
        """The annotation vectors of a batch, float32 (P, L, D)."""
        rows = self.row[start : start + _BATCH].tolist()
        return torch.from_numpy(np.stack([self.rows[row] for row in rows])).float()


def calibrate(
    origin: Path,
    folders: Sequence[Path],
    out: Path,
    regions: Mapping[str, Path] | None = None,
    pictures: int = PICTURES,
    seed: int = 0,
    cache: Path | None = None,
    progress: Progress = lambda what, done, total: None,
    say: Callable[[str], None] = print,
) -> Export:
    """Write to ``out`` the model of the folder ``origin`` with heads, its model.onnx included.

    Keywords are learned from training photos; confidence from the sentences of the search, at the default beam size and
    length penalty, about held-out ones. Every figure that is told and recorded in config.json is of held-out photos,
    those of confidence by cross-fitting.

    Args:
        origin: a model folder with weights, an ensemble's or of one model; heads that it has are replaced.
        folders: datasets, each with a train and a val split; a photo that one holds out is left out of the others.
        out: a new folder, or the one of another calibration, which is replaced.
        regions: a dataset's name -> where its regions are, if not in its folder: they tell which words name things.
        pictures: how many pictures of each kind that is no photo are drawn; 0: the kind is not learned.
        seed: of the keywords' first weights, the drawn pictures and the folds.
        cache: where annotation vectors are kept; by default where `train` keeps them.
        progress: called with what is done, how far, of how many.
        say: called with each line of what happens.

    Raises:
        SightlineError: ``origin`` or a dataset cannot be used, there are fewer than 40 held-out photos, no word can be
            learned, or ``out`` is something else; nothing is written then.
    """
    with replacing_folder(out, {CONFIG, VOCABULARY, WEIGHTS, ONNX}, "model folder") as new:
        model, config, vocabulary = load_model(origin)
        model.heads = None
        dataset = read_data(folders, {}, False, say)
        if len(dataset.examples["val"]) < _FEWEST_HELD_OUT:
            raise SightlineError(
                f"{dataset.name}: {len(dataset.examples['val'])} held-out photos; {_FEWEST_HELD_OUT} or more are needed"
                " to tell what a probability is worth: list more of them as val"
            )
        located = list(_located(folders, regions or {}, say))
        nouns = frozenset(map(singular, config.known_nouns))
        words = choose_words(dataset.examples["train"], located, nouns, say)
        store = FeatureCache(cache or cache_folder("features"), model.encoder)
        photos = {
            split: _encode(store, split, Joined(_parts(part)), progress) for split, part in dataset.examples.items()
        }
        calibration = _Calibration(model, config, vocabulary, words, seed, progress)
        figures = calibration.keywords(photos["train"], photos["val"])
        if pictures:
            figures |= calibration.kinds(photos["train"], photos["val"], pictures)
        if words.nouns:
            figures |= calibration.confidence(photos["val"])
        model.heads = calibration.heads
        training = {**config.training, "calibration": {"data": dataset.record["data"], **figures}}
        save_model(new, model, replace(config, heads=calibration.names, training=training), vocabulary)
        made = export_into(new)
    for name, value in figures.items():
        say(f"{name.replace('_', ' ')}: {value:.4g}" if value is not None else f"{name.replace('_', ' ')}: unknown")
    return replace(made, path=out / ONNX)


def _located(folders: Sequence[Path], regions: Mapping[str, Path], say: Callable[[str], None]) -> Iterable[Example]:
    """All train and val photos whose captions' phrases have boxes."""
    for folder in folders:
        dataset: Dataset = read_dataset(folder, regions=regions.get(folder.resolve().name))
        for split, tell in (("train", say), ("val", lambda line: None)):  # the same would be said twice
            yield from (example for example in dataset.located_split(split, tell) if example.regions)


def _parts(examples: Sequence[Example]) -> Sequence[Sequence[Example]]:
    return examples.parts if isinstance(examples, Joined) else [examples]


def _encode(store: FeatureCache, split: str, examples: Joined, progress: Progress) -> _Photos:
    rows, row = store.rows([e.photo for e in examples], lambda done, total: progress(f"encoding {split}", done, total))
    x = [
        pooled(torch.from_numpy(np.stack([rows[at] for at in row[start : start + 64].tolist()])).float())
        for start in range(0, len(row), 64)
    ]
    return _Photos(examples, rows, row, torch.cat(x))


class _Calibration:
    """The heads of a model while they are fitted, and the figures of each."""

    def __init__(
        self,
        model: CaptionModel,
        config: ModelConfig,
        vocabulary: Vocabulary,
        words: Words,
        seed: int,
        progress: Progress,
    ) -> None:
        self.model, self.config, self.vocabulary = model, config, vocabulary
        self.seed, self.progress = seed, progress
        self.names: dict[str, Any] = {"keywords": words.keywords}
        own = vocabulary.words[len(SPECIAL_TOKENS) :] if vocabulary.unit == "words" else ()
        if named := tuple(word for word in own if singular(word) in words.nouns):
            self.names |= {"nouns": named, "others": words.others}
        self.learned = (*words.keywords, *self.names.get("others", ()))
        self.heads = Heads(model.encoder.feature_size, len(vocabulary), self.names)

    def keywords(self, train: _Photos, held_out: _Photos) -> dict[str, float | None]:
        """Fit the standardisation and the keywords; mean average precision over keywords, beside a baseline's."""
        deviation, mean = torch.std_mean(train.x, dim=0)
        self.heads.mean.copy_(mean)
        self.heads.deviation.copy_(deviation + 1e-6)
        there = torch.from_numpy(presence(train.examples, self.learned)).float()
        x, named = self._standardised(train.x), len(self.names["keywords"])
        known = presence(held_out.examples, self.names["keywords"])
        # Datasets are drawn in proportion to the root of their sizes, so that a small one is heard beside a large one.
        weights = torch.cat([torch.full((len(part),), len(part) ** -0.5) for part in train.by_dataset()])
        self.heads.keywords = fit_keywords(x, there, weights, self.seed, self._tell("learning keywords"))
        if self.heads.confidence is not None:
            share = there.mean(0).clamp(1e-4, 1 - 1e-4)
            rare = torch.tensor([0.5 * float(share.min())])
            self.heads.confidence.prior.copy_(torch.cat([share, rare]).logit())
        others = self._standardised(held_out.x)
        with torch.inference_mode():
            scores = self.heads.keywords(others)[:, :named].numpy()
            neighbours = _by_neighbours(others, x, there[:, :named]).numpy()
        frequent = known.sum(0) >= 5
        if not frequent.any():
            return {"keywords": None}
        return {
            "keywords": float(average_precision(scores, known)[frequent].mean()),
            "keywords_of_nearest_neighbours": float(average_precision(neighbours, known)[frequent].mean()),
        }

    def kinds(self, train: _Photos, held_out: _Photos, pictures: int) -> dict[str, float | None]:
        """Draw pictures that are no photos and fit the kind; the share of other such pictures that is found."""
        half = range(0, pictures, 5)  # a fifth is only for the figure
        drawn, kinds, judged = [], [], []
        total = pictures * len(KINDS)
        encoder = fused(self.model.encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for kind, name in enumerate(KINDS):
            for start in range(0, pictures, _BATCH):
                numbers = range(start, min(pictures, start + _BATCH))
                pixels = [preprocess(draw(name, self.seed * pictures + i), self.config.preprocessing) for i in numbers]
                with torch.inference_mode():
                    drawn.append(pooled(encoder(torch.from_numpy(np.stack(pixels)))))
                kinds += [kind + 1] * len(numbers)
                judged += [i in half for i in numbers]
                self.progress("drawing no photos", kind * pictures + numbers[-1] + 1, total)
        x, labels, others = self._standardised(torch.cat(drawn)), torch.tensor(kinds), torch.tensor(judged)
        photos = self._standardised(train.x)
        self.names["kinds"] = (PHOTO, *KINDS)
        layer = fit_kinds(
            torch.cat([photos, x[~others]]),
            torch.cat([torch.zeros(len(photos), dtype=torch.int64), labels[~others]]),
            1 + len(KINDS),
        )
        bound_false_alarms(layer, [self._standardised(part) for part in held_out.by_dataset()], FALSE_ALARMS)
        self.heads.kinds = layer
        with torch.inference_mode():
            found = layer(x[others]).softmax(1)[:, 0] < 0.5
        return {"drawings_found": float(found.float().mean())}

    def confidence(self, held_out: _Photos) -> dict[str, float | None]:
        """Fit the confidences on all sentences of the search; figures of the best ones."""
        head, keywords = self.heads.confidence, self.heads.keywords
        if head is None or keywords is None:
            return {}
        features, named, right, sentences = self._sentences(held_out, keywords)
        photos, beams = named.shape[:2]
        folds = np.random.default_rng(self.seed).permutation(photos) % FOLDS
        of_noun = np.broadcast_to(folds[:, None, None], named.shape)[named]
        nouns, true = features[named].astype(np.float64), right[named].astype(np.float64)
        odds = np.zeros(named.shape)
        odds[named] = cross_fitted(nouns, true, of_noun)
        arrays = (torch.from_numpy(odds).float(), torch.from_numpy(named), sentences.log_probs, sentences.lengths)
        about = sentence_features(*arrays).numpy().astype(np.float64).reshape(photos * beams, -1)
        all_right: NDArray[np.float64] = np.asarray((right | ~named).all(2), np.float64)
        real = (sentences.log_probs.amin(2) > -1e8).numpy().reshape(-1)
        of_sentence = np.repeat(folds, beams)
        labels = all_right.reshape(-1)
        sure = np.zeros(photos * beams)
        sure[real] = cross_fitted(about[real], labels[real], of_sentence[real])
        with torch.no_grad():
            for weights, bias, (values, truth) in (
                (head.noun, head.noun_bias, (nouns, true)),
                (head.sentence, head.sentence_bias, (about[real], labels[real])),
            ):
                fitted, offset = fit_logistic(values, truth)
                weights.copy_(torch.from_numpy(fitted))
                bias.fill_(offset)
        best: NDArray[np.float64] = np.asarray(1 / (1 + np.exp(-sure.reshape(photos, beams)[:, 0])))
        of_best = np.zeros_like(named)
        of_best[:, 0] = named[:, 0]
        return {
            "confidence_AUC": area_under_curve(best, all_right[:, 0]),
            "confidence_Brier": brier(best, all_right[:, 0]),
            "confidence_calibration_error": calibration_error(best, all_right[:, 0]),
            "noun_AUC": area_under_curve(odds[of_best], right[of_best]),
            "captions_right": float(all_right[:, 0].mean()),
        }

    def _sentences(
        self, held_out: _Photos, keywords: KeywordHead
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], Sentences]:
        """Of all sentences of the search, (P, K, T): features of nouns, which words are nouns, which are right."""
        head = self.heads.confidence
        assert head is not None
        keyword_at = {word: index for index, word in enumerate(self.learned)}
        nouns = set(self.names["nouns"])
        for at, word in enumerate(self.vocabulary.words):
            if word in nouns:
                head.keyword_of[at] = keyword_at.get(singular(word), len(keyword_at))
        parts, repeats = [], repeats_of_model(replace(self.config, heads=self.names), self.vocabulary)
        for start in range(0, len(held_out.examples), _BATCH):
            with torch.inference_mode():
                memory = self.model.prepare(held_out.features(start))
            decoder, longest = self.model.decoder, self.config.max_words
            parts.append(search(decoder, memory, BEAM_SIZE, longest, LENGTH_PENALTY, repeats)[0])
            done = min(start + _BATCH, len(held_out.examples))
            self.progress("captioning held-out photos", done, len(held_out.examples))
        sentences = Sentences(*map(torch.cat, zip(*parts, strict=True)))
        with torch.inference_mode():
            odds = keywords(self._standardised(held_out.x))
            features, named = head.noun_features(odds, sentences.tokens, sentences.log_probs, sentences.lengths)
        forms = [singular(word) for word in self.vocabulary.words]
        right = np.zeros(named.shape, bool)
        for photo, example in enumerate(held_out.examples):
            known = words_of(example)
            ids = np.array([form in known for form in forms])
            right[photo] = ids[sentences.tokens[photo].numpy()]
        return features.numpy(), named.numpy(), right & named.numpy(), sentences

    def _standardised(self, x: Tensor) -> Tensor:
        standard: Tensor = (x - self.heads.mean) / self.heads.deviation
        return standard

    def _tell(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.progress(what, done, total)


def _by_neighbours(x: Tensor, train: Tensor, there: Tensor) -> Tensor:
    """The baseline: how many of the training photos nearest by the cosine have the keyword, by their nearness."""
    lengths = train.norm(dim=1).clamp(min=1e-9)
    parts = []
    for some in x.split(64):
        likeness = some @ train.T / lengths / some.norm(dim=1, keepdim=True).clamp(min=1e-9)
        values, nearest = likeness.topk(min(_NEIGHBOURS, len(train)), dim=1)
        parts.append(((10 * values).softmax(1)[..., None] * there[nearest]).sum(1) + 1e-3 * there.mean(0))
    return torch.cat(parts)
