"""The model that comes with the package."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

import sightline
from sightline.captioner import BUNDLED_MODEL
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, WEIGHTS

LARGEST = 20e6


def test_it_captions_in_sentences():
    ramp = np.linspace(0, 255, 224 * 224 * 3).reshape(224, 224, 3).astype(np.uint8)
    caption = sightline.load()(ramp)
    assert 3 <= len(caption.words) <= 20
    assert caption.attention.shape == (len(caption.words), 7, 7)


def test_a_caption_is_the_same_to_the_last_bit_whatever_stands_beside_it():
    draw, captioner = np.random.default_rng(0), sightline.load(threads=1)
    photos = [np.kron(draw.integers(0, 255, (7, 7, 3), np.uint8), np.ones((32, 32, 1), np.uint8)) for _ in range(12)]
    alone = [captioner.caption_batch([photo])[0] for photo in photos]
    for one, together in zip(alone, captioner.caption_batch(photos), strict=True):
        assert [(c.words, c.score, *c.log_probs) for c in (one, *one.alternatives)] == [
            (c.words, c.score, *c.log_probs) for c in (together, *together.alternatives)
        ]
    assert len({len(caption.words) for caption in alone}) > 1  # else all would take the same number of steps


def test_it_is_small_and_whole():
    for name in (ONNX, WEIGHTS):
        assert (BUNDLED_MODEL / name).stat().st_size < LARGEST
    assert all((BUNDLED_MODEL / name).is_file() for name in (CARD, CONFIG, VOCABULARY))


def test_the_weights_lie_once_in_the_tree():
    root = Path(__file__).parents[1]
    done = subprocess.run(["git", "ls-files", "*.safetensors"], cwd=root, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    assert done.stdout.split() == [f"src/sightline/model/{WEIGHTS}"]


@pytest.mark.slow
def test_its_onnx_says_what_its_weights_say():
    from sightline.export.export import compare, random_photos
    from sightline.nn.model_files import load_model

    model, config, _ = load_model(BUNDLED_MODEL)
    agreement = compare(model, config, BUNDLED_MODEL / ONNX, random_photos(config.preprocessing.size))
    # Noise lies far from the photos that the ranges of activations were gathered on, so words do differ.
    assert agreement.close and agreement.difference < 2
