"""The proof that a model.onnx says what its torch model says."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sightline.model_folder import HEADS, ModelConfig
from sightline.nn.decoder import Memory
from sightline.nn.evidence import evidence
from sightline.nn.model import CaptionModel
from sightline.nn.repeats import Repeats
from sightline.nn.search import search
from sightline.sessions import available_cores, forbids_repeats, open_session, run_search
from sightline.vocabulary import PAD, START

TOLERANCE = 1e-4
"""The largest difference of a log-probability, score, attention weight, evidence or confidence in an fp32 export."""

LARGEST_LOSS = 0.2
"""Nats a word that the torch model may find a rounded export's captions less likely than its own, on average."""

# Beam size, length penalty, whether evidence is compared, which costs a decoder's step for each location and word, and
# whether sentences may repeat themselves.
_SEARCHES = ((1, 0.0, False, False), (3, 0.0, True, False), (3, 0.7, False, True))
_RANDOM_PHOTOS = 8
_BATCH = 8


@dataclass(frozen=True)
class Agreement:
    """How far model.onnx departs from the torch model, over photos at beams 1 and 3.

    Attributes:
        photos: how many photos were captioned by both.
        captions: how many captions were compared.
        differing_captions: how many of them, the best beam's, have other words.
        differing_beams: how many sentences have other words, all beams counted.
        difference: the largest difference of a log-probability, score, attention weight, evidence or confidence in
            sentences of equal words, and of what heads say of photos; nan where the torch model's are no numbers.
        loss: by how many nats a word the torch model finds the best beams' captions of model.onnx less likely than its
            own, on average; below 0 where it likes them better.
    """

    photos: int
    captions: int
    differing_captions: int
    differing_beams: int
    difference: float
    loss: float

    @property
    def close(self) -> bool:
        """Whether the rounded weights and activations of model.onnx cost no more than `LARGEST_LOSS`."""
        return self.loss <= LARGEST_LOSS

    @property
    def exact(self) -> bool:
        """Whether every sentence has the same words, and all numbers agree within `TOLERANCE`."""
        return self.differing_beams == 0 and self.difference <= TOLERANCE


def random_photos(size: int) -> NDArray[np.float32]:
    """Eight preprocessed photos of blurred random colours under noise, float32 (8, 3, size, size), always the same."""
    noise = torch.Generator().manual_seed(0)
    colours = torch.randn(_RANDOM_PHOTOS, 3, 5, 5, generator=noise)
    blurred = torch.nn.functional.interpolate(colours, (size, size), mode="bilinear")
    return (blurred + 0.3 * torch.randn(blurred.shape, generator=noise)).numpy()


def compare(
    model: CaptionModel,
    config: ModelConfig,
    path: Path,
    pixels: Sequence[NDArray[np.float32]],
    repeats: Repeats | None = None,
) -> Agreement:
    """Caption ``pixels``, each float32 (3, size, size), by the torch model and by the model.onnx at ``path``.

    ``repeats``: what the vocabulary may not repeat; None: all may be repeated.
    """
    session = open_session(path, available_cores())
    repeats = repeats if forbids_repeats(session) else None
    captions = captions_apart = beams_apart = 0
    difference, losses = 0.0, []
    for batch in _batches(pixels):
        with torch.inference_mode():
            features = model.features(torch.from_numpy(batch))
            memory = model.prepare(features)
        for beam_size, penalty, explain, allowed in _SEARCHES:
            barred = repeats and repeats.unless(torch.tensor(allowed))
            by_torch = _torch_search(model, config, features, memory, beam_size, penalty, explain, barred)
            by_runtime = run_search(session, batch, beam_size, penalty, explain, allowed or repeats is None)
            same, apart = _differences(by_torch, by_runtime)
            captions += len(batch)
            captions_apart += int((~same[:, 0]).sum())
            beams_apart += int((~same).sum())
            difference = float(np.maximum(difference, apart))  # nan stays
            both = (
                _mean_log_prob(model, memory, np.asarray(found["tokens"][:, 0], np.int64))
                for found in (by_torch, by_runtime)
            )
            losses.append(np.subtract(*both))
    return Agreement(
        len(pixels), captions, captions_apart, beams_apart, difference, float(np.concatenate(losses).mean())
    )


@torch.inference_mode()
def _mean_log_prob(model: CaptionModel, memory: Memory, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
    """The mean log-probability that ``model`` gives the words of one sentence a photo, ``tokens`` (P, T): (P,)."""
    decoder, words = model.decoder, torch.from_numpy(tokens)
    previous = torch.cat([torch.full_like(words[:, :1], START), words[:, :-1]], dim=1)
    state, total = decoder.initial_state(memory), torch.zeros(len(words))
    real = words != PAD
    for step in range(words.shape[1]):
        output, _, state = decoder.step(memory, state, decoder.embed(previous[:, step : step + 1]))
        log_probs = decoder.logits(output).log_softmax(dim=2).squeeze(1)
        total += log_probs.gather(1, words[:, step : step + 1]).squeeze(1).where(real[:, step], 0.0)
    return (total / real.sum(1)).numpy()


def _batches(pixels: Sequence[NDArray[np.float32]]) -> Iterable[NDArray[np.float32]]:
    for start in range(0, len(pixels), _BATCH):
        yield np.stack(pixels[start : start + _BATCH])


@torch.inference_mode()
def _torch_search(
    model: CaptionModel,
    config: ModelConfig,
    features: Tensor,
    memory: Memory,
    beam_size: int,
    penalty: float,
    explain: bool,
    repeats: Repeats | None,
) -> dict[str, NDArray[np.generic]]:
    """The outputs of model.onnx by name, by torch."""
    sentences, scores = search(model.decoder, memory, beam_size, config.max_words, penalty, repeats)
    outputs = {**sentences._asdict(), "scores": scores}
    if explain:
        outputs["evidence"] = evidence(model.decoder, memory, sentences.tokens[:, 0])
    if model.heads:
        judgement = model.heads(features, sentences.tokens, sentences.log_probs, sentences.lengths)
        outputs |= {name: judged for name, judged in judgement._asdict().items() if judged is not None}
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def _differences(by_torch: dict[str, NDArray], by_runtime: dict[str, NDArray]) -> tuple[NDArray[np.bool_], float]:  # type: ignore[type-arg]
    """Which sentences (P, K) are the same, and the largest difference of a number in those of the very same words."""
    if np.isnan(by_torch["log_probs"][:, 0]).any():
        return np.zeros(by_torch["scores"].shape, bool), math.nan
    parted = by_torch["tokens"] != by_runtime["tokens"]  # (P, K, T)
    equal = ~parted.any(2) & (by_torch["lengths"] == by_runtime["lengths"])
    none = (by_torch["scores"] < -1e8) & (by_runtime["scores"] < -1e8)
    real = equal & ~none
    numbers = [
        np.abs(by_torch[name][real] - by_runtime[name][real]).max(initial=0)
        for name in ("log_probs", "attention", "scores")
    ]
    if "evidence" in by_runtime:
        longest = by_runtime["evidence"].shape[1]
        numbers.append(np.abs(by_torch["evidence"][:, :longest] - by_runtime["evidence"])[equal[:, 0]].max(initial=0))
    for name in by_torch.keys() & HEADS:
        of_sentences = real if "confidence" in name else slice(None)
        # Words that name no thing are NaN in both.
        ours, theirs = (np.nan_to_num(each[name][of_sentences], nan=-1.0) for each in (by_torch, by_runtime))
        numbers.append(np.abs(ours - theirs).max(initial=0))
    return equal | none | _tied(by_torch["log_probs"], by_runtime["log_probs"], parted), float(max(numbers))


def _tied(by_torch: NDArray, by_runtime: NDArray, parted: NDArray[np.bool_]) -> NDArray[np.bool_]:  # type: ignore[type-arg]
    """Where two sentences part at words that were equally good, so that rounding alone decided: bool (P, K)."""
    first = parted.argmax(2)[..., None]
    apart = np.take_along_axis(by_torch.cumsum(2), first, 2) - np.take_along_axis(by_runtime.cumsum(2), first, 2)
    return (np.abs(apart) <= TOLERANCE / 10).squeeze(2)
