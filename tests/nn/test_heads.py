"""Heads: what they say by their equations, in torch and in model.onnx, stored as it is or rounded."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

import sightline
from sightline.export.export import export_model, make_ensemble
from sightline.export.graph import to_onnx
from sightline.model_folder import HEADS
from sightline.nn.heads import pooled
from sightline.nn.model_files import load_model
from sightline.nn.repeats import repeats_of
from sightline.nn.search import search
from sightline.preprocess import preprocess

from ..conftest import add_heads


@torch.no_grad()
def judge(headed, photos):
    """The photos' annotation vectors, and the sentences of a torch search."""
    model, config, vocabulary = headed
    pixels = torch.from_numpy(np.stack([preprocess(photo, config.preprocessing) for photo in photos]))
    features = model.features(pixels)
    repeats = repeats_of(vocabulary, config.known_nouns)
    sentences, _ = search(model.decoder, model.prepare(features), 3, config.max_words, 1.0, repeats)
    return features, sentences


def test_they_say_what_their_equations_say(headed, photos):
    features, sentences = judge(headed, photos)
    heads = headed.model.heads
    with torch.no_grad():
        judged = heads(features, sentences.tokens, sentences.log_probs, sentences.lengths)
        mean = features.mean(1)
        x = mean.sign() * mean.abs().sqrt()
        x = x / x.norm(dim=1, keepdim=True)
        torch.testing.assert_close(pooled(features), x)
        odds = heads.keywords.output(heads.keywords.hidden(x).relu())
        torch.testing.assert_close(judged.keywords, odds.sigmoid())
        torch.testing.assert_close(judged.kinds, heads.kinds(x).softmax(1))
    head, nouns = heads.confidence, 0
    for p in range(len(photos)):
        for k in range(3):
            length = int(sentences.lengths[p, k])
            log_probs = sentences.log_probs[p, k, :length].numpy()
            log_all = count = 0.0
            for t in range(sentences.tokens.shape[2]):
                keyword = int(head.keyword_of[sentences.tokens[p, k, t]])
                said = float(judged.word_confidence[p, k, t])
                if t >= length or keyword < 0:
                    assert np.isnan(said)
                    continue
                nouns += 1
                here = float(odds[p, keyword]) if keyword < odds.shape[1] else float(head.prior[-1])
                lp = log_probs[t]
                of_word = [lp, np.log(max(1 - np.exp(lp), 0.01)), here, float(head.prior[keyword])]
                of_word += [log_probs.mean(), log_probs.min(), length]
                probability = 1 / (1 + np.exp(-(np.dot(of_word, head.noun.detach()) + float(head.noun_bias.detach()))))
                assert said == pytest.approx(probability, abs=1e-5)
                log_all, count = log_all + np.log(probability), count + 1
            of_sentence = [log_all, np.log(max(1 - np.exp(log_all), 0.01)), count, log_probs.mean()]
            logit = np.dot(of_sentence, head.sentence.detach()) + float(head.sentence_bias.detach())
            assert float(judged.confidence[p, k]) == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-5)
    assert nouns > 10


def test_model_onnx_says_what_torch_says(headed, headed_run, photos):
    features, sentences = judge(headed, photos)
    with torch.no_grad():
        judged = headed.model.heads(features, sentences.tokens, sentences.log_probs, sentences.lengths)
    captioner = sightline.load(headed_run)
    for p, caption in enumerate(captioner.stream(photos)):
        said = [caption, *caption.alternatives]
        np.testing.assert_allclose([each.confidence for each in said], judged.confidence[p], atol=1e-4)
        np.testing.assert_allclose(
            caption.word_confidence, judged.word_confidence[p, 0, : len(caption.words)], atol=1e-4
        )
        of_keywords = dict(zip(headed.config.heads["keywords"], judged.keywords[p].tolist(), strict=True))
        assert {keyword.word for keyword in caption.keywords} == {w for w, value in of_keywords.items() if value >= 0.3}
        for keyword in caption.keywords:
            assert keyword.probability == pytest.approx(of_keywords[keyword.word], abs=1e-4)
    assert np.isfinite(np.nan_to_num(judged.word_confidence)).all()


def test_a_model_may_have_some_heads_only(tiny, tiny_graph, photos):
    names = {"keywords": ("dog", "red"), "kinds": ("photo", "chart")}
    graph = to_onnx(*add_heads(tiny, names))
    assert [output.name for output in graph.graph.output if output.name in HEADS] == ["kinds", "keywords"]
    assert not {output.name for output in tiny_graph.graph.output} & set(HEADS)


def test_they_are_stored_as_the_rest_is(headed, headed_run, photos, tmp_path):
    exact = list(sightline.load(headed_run).stream(photos))
    for precision, tolerance in (("fp16", 0.02), ("int8", 0.1)):
        export_model(headed_run, tmp_path / precision, precision, photos[:2])
        stored = {weight.name: weight for weight in onnx.load(tmp_path / precision / "model.onnx").graph.initializer}
        hidden = [weight for name, weight in stored.items() if "keywords.hidden.weight" in name]
        types = {"fp16": onnx.TensorProto.FLOAT16, "int8": onnx.TensorProto.INT8}
        assert types[precision] in {weight.data_type for weight in hidden}
        for rounded, plain in zip(sightline.load(tmp_path / precision).stream(photos), exact, strict=True):
            if rounded.words == plain.words:
                assert rounded.confidence == pytest.approx(plain.confidence, abs=tolerance)


def test_a_model_folder_keeps_them(headed, headed_run):
    model, config, _ = load_model(headed_run)
    assert config.heads == headed.config.heads
    for name, tensor in headed.model.heads.state_dict().items():
        assert torch.equal(model.heads.state_dict()[name], tensor)


def test_what_is_made_of_a_model_with_heads_has_none(headed, headed_run, tiny_run, tmp_path):
    made = make_ensemble([headed_run, tiny_run], tmp_path / "both")
    model, config, _ = load_model(made.path.parent)
    assert model.heads is None and not config.heads and not any(member.heads for member in config.members)
