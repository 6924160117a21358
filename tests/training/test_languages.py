"""Captions of four scripts, from the dataset to a model that writes them: two part their words by blanks, two don't."""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.caption import read_captions
from sightline.data.dataset import read_dataset
from sightline.errors import SightlineError
from sightline.nn.evidence import evidence
from sightline.nn.model_files import load_model
from sightline.nn.search import search
from sightline.preprocess import preprocess
from sightline.training import vocabulary as units
from sightline.training.recipe import Recipe, VocabularyRecipe
from sightline.training.results import generate
from sightline.training.train import train
from sightline.training.vocabulary import extend_vocabulary, learn_vocabulary
from sightline.vocabulary import UNKNOWN, Vocabulary
from tests.training.conftest import tiny

COLORS, SHAPES = (
    ["red", "green", "blue", "yellow", "purple", "orange"],
    ["circle", "square", "triangle", "star", "cross"],
)
Object = Mapping[str, str]


def named(words: str) -> dict[str, str]:
    """English word -> another language's."""
    return dict(zip([*COLORS, *SHAPES, "small", "large"], words.split(), strict=True))


CHINESE = named("红色 绿色 蓝色 黄色 紫色 橙色 圆形 正方形 三角形 星形 十字 小的 大的")
THAI = named("สีแดง สีเขียว สีน้ำเงิน สีเหลือง สีม่วง สีส้ม วงกลม สี่เหลี่ยม สามเหลี่ยม ดาว กากบาท เล็ก ใหญ่")
HINDI = named("लाल हरा नीला पीला बैंगनी नारंगी वृत्त वर्ग त्रिभुज तारा क्रॉस छोटा बड़ा")
ARABIC = named("أحمر أخضر أزرق أصفر بنفسجي برتقالي دائرة مربع مثلث نجمة صليب صغير كبير")
FEMININE = named("حمراء خضراء زرقاء صفراء بنفسجية برتقالية دائرة مربع مثلث نجمة صليب صغيرة كبيرة")


def chinese(objects: Sequence[Object]) -> Iterator[str]:
    of = [f"{CHINESE[item['color']]}{CHINESE[item['shape']]}" for item in objects]
    yield f"图中有一个{'和一个'.join(of)}。"
    yield f"这是一个{CHINESE[objects[0]['size']]}{of[0]}"


def thai(objects: Sequence[Object]) -> Iterator[str]:
    of = [f"{THAI[item['shape']]}{THAI[item['color']]}" for item in objects]
    yield f"มี{'และ'.join(of)}อยู่ในภาพ"
    yield f"{of[0]} ขนาด{THAI[objects[0]['size']]}"


def hindi(objects: Sequence[Object]) -> Iterator[str]:
    of = [f"एक {HINDI[item['color']]} {HINDI[item['shape']]}" for item in objects]
    yield f"चित्र में {' और '.join(of)} है।"
    yield f"यह {HINDI[objects[0]['size']]} {of[0]}"


def arabic(objects: Sequence[Object]) -> Iterator[str]:
    words = [FEMININE if item["shape"] in ("circle", "star") else ARABIC for item in objects]
    of = [f"{each[item['shape']]} {each[item['color']]}" for each, item in zip(words, objects, strict=True)]
    yield f"في الصورة {' و '.join(of)}."
    yield f"هذا {of[0]} {words[0][objects[0]['size']]}"


def people(objects: Sequence[Object]) -> Iterator[str]:
    """As Flickr8k-CN's captions are: without blanks, some with signs; of no drawn thing."""
    draw = random.Random(str(objects))
    who = ["一个穿红色衣服的小女孩", "两个男人", "一只棕色的狗", "一群孩子", "一位戴帽子的老人", "一个骑自行车的男孩"]
    does = ["在草地上奔跑", "在沙滩上玩耍", "站在街道旁边", "坐在长椅上看书", "跳进水里", "正在踢足球"]
    more = ["", "。", "，旁边有一只白色的狗", "，后面是一座大山", "，很多人在看"]
    for _ in range(3):
        yield draw.choice(who) + draw.choice(does) + draw.choice(more)


def described(shapes: Path, root: Path, describe: Callable[[Sequence[Object]], Iterator[str]]) -> Path:
    """The drawn shapes with captions of another language."""
    shutil.copytree(shapes, root)
    objects = json.loads((root / "objects.json").read_text(encoding="utf-8"))
    with (root / "captions.txt").open("w", encoding="utf-8", newline="") as file:
        rows = ((image, caption) for image, items in objects.items() for caption in describe(items))
        csv.writer(file).writerows([("image", "caption"), *rows])
    for name in ("objects.json", "shapes.json"):
        (root / name).unlink()
    return root


@pytest.mark.slow
@pytest.mark.parametrize(
    ("describe", "split"),
    [(chinese, "subwords"), (people, "subwords"), (thai, "subwords"), (hindi, "words"), (arabic, "words")],
)
def test_a_language_is_learned_and_written_as_it_is_read(describe, split, shapes, tmp_path):
    data = described(shapes, tmp_path / "data", describe)
    lines: list[str] = []
    recipe = tiny(epochs=2, scores=["CIDEr"])
    out = train(recipe, data, tmp_path / "run", export=False, progress=False, say=lines.append)
    model, config, vocabulary = load_model(out)
    assert vocabulary.unit == split
    assert len([line for line in lines if "vocabulary.unit is subwords" in line]) == (split == "subwords")

    held_out = [example for name in ("val", "test") for example in read_dataset(data).split(name)]
    ids = [index for example in held_out for text in example.captions for index in vocabulary.encode(text, 99)]
    assert ids.count(UNKNOWN) <= 0.02 * len(ids)

    photos = [example.photo for example in held_out]
    captions = generate(model, config, vocabulary, photos)
    for caption in captions:
        assert caption.text == ("" if split == "subwords" else " ").join(caption.words)
        assert all(caption.words) and len(caption.words) == len(caption.log_probs)
        assert caption.attention.sum((1, 2)) == pytest.approx(1, abs=1e-5)


@pytest.mark.slow
def test_characters_of_a_script_with_blanks_are_printed_in_words(shapes, tmp_path):
    data = described(shapes, tmp_path / "data", arabic)
    recipe = tiny(epochs=1)
    recipe = recipe.model_copy(update={"vocabulary": VocabularyRecipe(unit="characters", min_count=1, max_words=60)})
    lines: list[str] = []
    out = train(recipe, data, tmp_path / "run", export=False, progress=False, say=lines.append)
    model, config, vocabulary = load_model(out)
    photo = preprocess(read_dataset(data).split("val")[0].photo, config.preprocessing)
    with torch.inference_mode():
        memory = model.prepare(model.features(torch.from_numpy(photo[None])))
        sentences, scores = search(model.decoder, memory, 2, config.max_words, 0.0)
        rests = evidence(model.decoder, memory, sentences.tokens[:, 0])
    arrays = (tensor.numpy() for tensor in (*sentences[:3], scores, rests))
    (caption,) = read_captions(vocabulary, config.grid, *arrays)
    assert caption.words == tuple(caption.text.split(" ")) or not caption.text
    assert len(caption.words) < len(vocabulary.units(caption.text))
    assert caption.attention.shape == caption.evidence.shape == (len(caption.words), 8, 8)
    assert caption.attention.sum((1, 2)) == pytest.approx(1, abs=1e-5)
    ends = caption.score - caption.log_probs.sum()  # what is left is the end's
    assert ends <= 1e-4

    with pytest.raises(SightlineError, match="set it to auto"):
        other = VocabularyRecipe(unit="words")
        learn_vocabulary(other, lambda: ["كلب"], vocabulary, lines.append)
    met = learn_vocabulary(VocabularyRecipe(min_count=1), lambda: ["ڤيل"], vocabulary, lines.append)
    assert set(extend_vocabulary(vocabulary, met).words) - set(vocabulary.words) == {"ڤ"}


NATURAL = [
    f"{who}{does}" for who, does in product(["一只狗", "两个孩子", "一个男人"], ["在草地上奔跑", "在水里玩"])
] * 2


@pytest.mark.parametrize("unit", ["characters", "subwords"])
def test_units_are_as_frequent_as_asked_and_the_same_each_time(unit):
    recipe = VocabularyRecipe(unit=unit, min_count=3)
    first, second = (learn_vocabulary(recipe, lambda: NATURAL, None, lambda line: None) for _ in range(2))
    assert first == second
    counts = {unit: sum(first.units(text).count(unit) for text in NATURAL) for unit in first.words[4:]}
    assert all(count >= 3 for unit, count in counts.items() if len(unit) > 1)
    assert {unit for unit in counts if len(unit) == 1} == set("".join(NATURAL))


def test_without_the_library_a_line_says_what_to_do(monkeypatch):
    monkeypatch.setattr(units, "find_spec", lambda name: None)
    with pytest.raises(SightlineError, match=r"pip install sentencepiece.*vocabulary\.unit to characters"):
        learn_vocabulary(VocabularyRecipe(), lambda: NATURAL, None, lambda line: None)
    learn_vocabulary(VocabularyRecipe(unit="characters"), lambda: NATURAL, None, lambda line: None)


def test_english_is_learned_in_words_as_ever_and_nothing_more_is_said(shapes):
    texts = [text for example in read_dataset(shapes).split("train") for text in example.captions]
    lines: list[str] = []
    assert learn_vocabulary(VocabularyRecipe(), lambda: texts, None, lines.append) == Vocabulary.from_captions(texts, 5)
    assert lines == []


@pytest.mark.slow
def test_what_rewards_nouns_is_refused_where_words_are_in_pieces(shapes, tmp_path):
    recipe = tiny(objective="self_critical", hallucination_penalty=1.0)
    values = {**recipe.model_dump(), "vocabulary": {"unit": "subwords", "min_count": 1}}
    first = tiny(epochs=1).model_copy(update={"vocabulary": VocabularyRecipe(unit="subwords", min_count=1)})
    out = train(first, shapes, tmp_path / "first", export=False, progress=False, say=lambda line: None)
    with pytest.raises(SightlineError, match=r"vocabulary\.unit: subwords.*hallucination_penalty"):
        train(Recipe.model_validate(values), shapes, tmp_path / "second", init=out, progress=False, say=np.array)
