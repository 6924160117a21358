"""The model that comes with the package."""

from pathlib import Path

import numpy as np

import sightline
from sightline.captioner import BUNDLED_MODEL
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, WEIGHTS

TRAINED = Path(__file__).parents[1] / "models" / "flickr8k"
LARGEST = 20e6


def test_it_captions_in_sentences():
    ramp = np.linspace(0, 255, 224 * 224 * 3).reshape(224, 224, 3).astype(np.uint8)
    caption = sightline.load()(ramp)
    assert 3 <= len(caption.words) <= 20
    assert caption.attention.shape == (len(caption.words), 7, 7)


def test_it_is_small_and_made_from_the_published_weights():
    assert (BUNDLED_MODEL / ONNX).stat().st_size < LARGEST
    assert (TRAINED / WEIGHTS).stat().st_size < LARGEST
    for name in (CARD, CONFIG, VOCABULARY):
        assert (BUNDLED_MODEL / name).read_bytes() == (TRAINED / name).read_bytes()


def test_its_onnx_says_what_its_weights_say():
    from sightline.export.export import compare, random_photos
    from sightline.nn.model_files import load_model

    model, config, _ = load_model(TRAINED)
    agreement = compare(model, config, BUNDLED_MODEL / ONNX, random_photos(config.preprocessing.size))
    # Eight bits a weight may tip a choice between two words now and then; what stays the same is near in numbers.
    assert agreement.differing_captions <= agreement.captions / 4
    assert agreement.difference < 0.5
