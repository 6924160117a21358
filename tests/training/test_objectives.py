import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.data.dataset import read_dataset
from sightline.data.example import Example, Region
from sightline.errors import SightlineError
from sightline.nn.model_files import load_model
from sightline.nn.prefix_tree import PrefixTree
from sightline.preprocess import preprocess
from sightline.training.attention_targets import NounTargets, PhraseBoxes, PhraseTargets
from sightline.training.augment import augment
from sightline.training.batches import Batch, Share, encode_captions
from sightline.training.objectives import self_critical
from sightline.training.objectives.cross_entropy import CrossEntropy
from sightline.training.objectives.self_critical import SelfCritical
from sightline.training.penalties.break_off import TruncatedCaption
from sightline.training.penalties.hallucination import UnknownNouns
from sightline.training.results import generate
from sightline.vocabulary import END, Vocabulary
from tests.training.conftest import tiny
from tests.training.test_train import losses, run

NO_BOXES = np.zeros((0, 4), np.float32)


@pytest.fixture(scope="module")
def trained(shapes, tmp_path_factory):
    return run(tiny(epochs=4), shapes, tmp_path_factory.mktemp("runs") / "words")


def batch_of(model, targets):
    torch.manual_seed(0)
    features = torch.rand(len(targets), 64, model.encoder.feature_size)
    return features, Batch(
        features, PrefixTree.from_captions(targets), torch.arange(len(targets)), Share(0, 1, len(targets))
    )


def self_critical_objective(targets, max_words, penalties=(), **options):
    """Two samples a photo; ``options`` of the recipe's training."""
    return SelfCritical(targets, targets, max_words, penalties, samples=2, **options)


def test_label_smoothing_is_torchs_over_every_word(trained):
    model = load_model(trained)[0]
    targets = np.array([[[4, 5, 6, END], [4, 5, END, 0]], [[7, END, 0, 0], [4, 8, END, 0]]])
    features, batch = batch_of(model, targets)
    logits = model(features, batch.captions).logits
    words = torch.from_numpy(targets.reshape(-1, 4))
    rows = logits[batch.captions.node_of_word.reshape(-1, 4)]
    for smoothing in (0.0, 0.2):
        step = CrossEntropy(smoothing).training(model, features, batch, seed=0)
        expected = torch.nn.functional.cross_entropy(
            rows.flatten(0, 1), words.flatten(), ignore_index=0, label_smoothing=smoothing
        )
        torch.testing.assert_close(step.loss, expected)
    torch.testing.assert_close(step.value, CrossEntropy().held_out(model, features, batch).loss)
    assert step.weight == 12


def test_self_critical_loss_is_reinforce_against_the_other_samples(trained, monkeypatch):
    model = load_model(trained)[0].requires_grad_(False)
    targets = np.array([[[4, 5, 6, END]], [[7, 8, END, 0]]])
    drawn = np.array([[[4, 5, 6, END], [4, 9, END, 0]], [[7, END, 0, 0], [5, 8, END, 0]]])
    features, batch = batch_of(model, targets)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(drawn))
    objective = self_critical_objective(targets, 4)
    step = objective.training(model, features, batch, seed=0)

    own, total = objective._cider, 0.0
    log_probs = model(features, tree := PrefixTree.from_captions(drawn)).logits
    log_probs[:, [0, 1, 3]] = -np.inf
    log_probs = log_probs.log_softmax(1)
    for p in range(2):
        sentences = [[int(word) for word in sentence if word] for sentence in drawn[p]]
        rewards = own.score(sentences, [p, p])
        for c, sentence in enumerate(sentences):
            advantage = rewards[c] - rewards[1 - c]
            total -= sum(advantage * log_probs[tree.node_of_word[p, c, t], w] for t, w in enumerate(sentence))
    assert float(step.loss) == pytest.approx(float(total) / 12, rel=1e-5)
    assert float(step.value) == pytest.approx(
        np.mean(rewards) / 2 + own.score([[4, 5, 6, END], [4, 9, END]], [0, 0]).mean() / 2
    )


def log_probs_of(model, features, drawn):
    """log p(sentence) of each that was drawn for the first photo, all of one length."""
    logits = model(features, tree := PrefixTree.from_captions(drawn)).logits
    logits[:, [0, 1, 3]] = -np.inf
    log_probs = logits.log_softmax(1)
    return [log_probs[nodes, words].sum() for nodes, words in zip(tree.node_of_word[0], drawn[0], strict=True)]


def test_what_nobody_saw_takes_from_the_reward(trained, monkeypatch):
    model = load_model(trained)[0]
    vocabulary = Vocabulary.from_captions(["the red dog chases two cats near a dog"])
    word = {name: index for index, name in enumerate(vocabulary.words)}
    somewhere = Region(0, 2, ((0.0, 0.0, 1.0, 1.0),))
    seen = Example("seen", Path("seen"), ("red dog", "a dog", "two cats", "a cat"), ((somewhere,),) * 4)

    def ids(*captions):
        return np.array([[[word[name] for name in caption.split()] + [END] for caption in captions]])

    drawn = ids("red cats chases dog", "red dog chases dog")
    written = ids("the dog chases near")
    unknown = UnknownNouns([seen], vocabulary)
    assert unknown.count(torch.from_numpy(drawn), torch.from_numpy(written)).tolist() == [[1, 0]]

    features, batch = batch_of(model, written)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(drawn))
    plain, costly = (
        self_critical_objective(written, 5, penalties=[(unknown, penalty)]).training(model, features, batch, seed=0)
        for penalty in (0.0, 0.3)
    )
    first, second = log_probs_of(model, features, drawn)
    assert (costly.loss - plain.loss).item() == pytest.approx(0.3 * (first - second).item() / 10, rel=1e-4)
    assert costly.value == plain.value


def test_bleu_counts_beside_cider_in_the_reward(trained, monkeypatch):
    model = load_model(trained)[0]
    written = np.array([[[4, 5, 6, END], [4, 9, 7, END]]])
    drawn = np.array([[[4, 5, 6, END], [4, 5, 7, END]]])
    features, batch = batch_of(model, written)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(drawn))
    plain, beside = (
        self_critical_objective(written, 5, bleu_weight=weight).training(model, features, batch, seed=0)
        for weight in (0.0, 2.0)
    )
    first, second = log_probs_of(model, features, drawn)
    # All words of the second are known; two of its three pairs, none of its two threes, not its four.
    ahead = 1 - (1 * 3 / 4 * 1 / 3 * 1 / 2) ** (1 / 4)
    assert (beside.loss - plain.loss).item() == pytest.approx(-2 * ahead * (first - second).item() / 8, rel=1e-4)
    assert beside.value == plain.value


def test_a_sentence_that_ends_where_nobodys_does_is_a_fault():
    written = np.array([[[4, 5, 6, END], [4, 6, END, 0]], [[6, 5, 4, 4], [4, 5, END, 0]]] * 49, np.uint16)
    written[1::2, 1] = [4, 5, 8, END]
    written[1, 1] = [4, 5, END, 0]  # once in 98
    drawn = torch.tensor(
        [[[4, 5, 6, END], [4, 5, END, 0]], [[4, 6, END, 0], [7, 4, 5, END]], [[4, 5, 4, 5], [END, 0, 0, 0]]]
    )
    assert TruncatedCaption(written).count(drawn, drawn).tolist() == [[0, 1], [0, 1], [0, 0]]


def test_peoples_captions_count_beside_the_reward_as_in_teacher_forcing(trained, monkeypatch):
    model = load_model(trained)[0]
    written = np.array([[[4, 5, 6, END, 0], [4, 9, 3, END, 0]], [[7, END, 0, 0, 0], [4, 8, 6, 5, 7]]])
    drawn = np.array([[[4, 5, 6], [4, 9, END]], [[7, END, 0], [5, 8, END]]])
    features, batch = batch_of(model, written)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(drawn))
    alone, beside = (
        self_critical_objective(written, 5, cross_entropy_weight=weight).training(model, features, batch, seed=0)
        for weight in (0.0, 0.25)
    )
    logits = model(features, tree := PrefixTree.from_captions(written)).logits
    logits[:, [0, 1, 3]] = -np.inf
    words = torch.from_numpy(written)
    said = (words != 0) & (words != 3)  # what is unknown cannot be said
    people = torch.nn.functional.cross_entropy(logits[tree.node_of_word[said]], words[said])
    torch.testing.assert_close(beside.loss - alone.loss, 0.25 * people)
    assert (beside.words, beside.value) == (alone.words, alone.value) == (11, alone.value)


def test_wide_attention_costs_what_the_recipe_says(trained, monkeypatch):
    model = load_model(trained)[0]
    targets = np.array([[[4, 5, 6, END], [4, 5, END, 0]], [[7, END, 0, 0], [4, 8, END, 0]]])
    features, batch = batch_of(model, targets)
    forced = model(features, batch.captions)
    alpha = forced.attention[batch.captions.node_of_word[torch.from_numpy(targets) > 0]].double()
    entropy = torch.distributions.Categorical(alpha).entropy().mean()
    assert 0.1 < entropy < np.log(64)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(targets))
    for make in (
        lambda weight: CrossEntropy(attention_entropy=weight),
        lambda weight: self_critical_objective(targets, 4, attention_entropy=weight),
    ):
        plain, narrow = (make(weight).training(model, features, batch, seed=0) for weight in (0.0, 0.3))
        assert (narrow.loss - plain.loss).item() == pytest.approx(0.3 * entropy.item(), rel=1e-4)
        assert narrow.value == plain.value
        held_out = [make(weight).held_out(model, features, batch).loss for weight in (0.0, 0.3)]
        assert held_out[0] == held_out[1]


@pytest.mark.slow
def test_attention_that_costs_grows_narrow(trained, shapes, tmp_path):
    widths = []
    for weight in (0.0, 0.3):
        out = run(tiny(epochs=2, attention_entropy=weight), shapes, tmp_path / str(weight), init=trained)
        photos = [example.photo for example in read_dataset(shapes).split("val")]
        widths.append(np.mean([caption.attention.max((1, 2)).mean() for caption in generate(*load_model(out), photos)]))
    assert widths[1] > 1.5 * widths[0]


@pytest.mark.slow
def test_self_critical_training_raises_the_reward(trained, shapes, tmp_path):
    recipe = tiny(epochs=5, objective="self_critical", learning_rate=1e-2, samples=8)
    with pytest.raises(SightlineError, match="--init"):
        run(recipe, shapes, tmp_path / "alone")
    out = run(recipe, shapes, tmp_path / "run", init=trained)
    rewards = [(float(row["train_cider"]), float(row["val_cider"])) for row in losses(out)]
    assert rewards[-1][0] > 1.2 * rewards[0][0]
    assert max(held_out for _, held_out in rewards) == load_model(out)[1].training["val_cider"]


def test_a_named_thing_costs_what_attention_misses_of_it(trained):
    model = load_model(trained)[0]
    targets = np.array([[[4, 5, 6, END], [4, 5, END, 0]], [[7, END, 0, 0], [4, 8, END, 0]]])
    features, batch = batch_of(model, targets)
    shares = torch.rand(2, 64).softmax(1)
    words = [(0, 0, 1, 0), (0, 1, 1, 1), (1, 1, 0, 1), (1, 1, 1, 1)]  # photo, caption, word, phrase
    nodes = torch.stack([batch.captions.node_of_word[p, c, t] for p, c, t, _ in words])
    assert nodes[0] == nodes[1]  # two captions that begin alike and name two things
    phrases = torch.tensor([phrase for *_, phrase in words])
    supervised = PhraseTargets(shares, batch.captions.targets, nodes, phrases)
    alpha = model(features, batch.captions).attention
    missed = sum(-(shares[phrase] * alpha[node]).sum().log() for node, (*_, phrase) in zip(nodes, words, strict=True))
    plain, costly, unknown = (
        CrossEntropy(attention_supervision=weight).training(
            model, features, batch._replace(attention_targets=known), seed=0
        )
        for weight, known in ((0.0, supervised), (0.3, supervised), (0.3, None))
    )
    assert (costly.loss - plain.loss).item() == pytest.approx(0.3 * missed.item() / 12, rel=1e-4)
    assert costly.value == plain.value == unknown.loss


def test_self_critical_training_points_at_the_nouns_it_drew(trained, monkeypatch):
    model = load_model(trained)[0]
    targets = np.array([[[4, 5, 6, END]], [[7, 8, END, 0]]])
    drawn = np.array([[[4, 5, 6, END], [4, 9, END, 0]], [[7, END, 0, 0], [5, 8, END, 0]]])
    features, batch = batch_of(model, targets)
    monkeypatch.setattr(self_critical, "sample", lambda *args: torch.from_numpy(drawn))
    rows = torch.full((2, 30), -1)
    rows[0, 5], rows[1, 5], rows[1, 0] = 1, 0, 0
    shares = torch.rand(2, 64).softmax(1)
    plain, costly = (
        self_critical_objective(targets, 4, attention_supervision=weight).training(
            model, features, batch._replace(attention_targets=NounTargets(shares, rows)), seed=0
        )
        for weight in (0.0, 0.3)
    )
    tree = PrefixTree.from_captions(drawn)
    alpha = model(features, tree).attention
    missed = -(shares[1] * alpha[tree.node_of_word[0, 0, 1]]).sum().log()
    missed = missed - (shares[0] * alpha[tree.node_of_word[1, 1, 0]]).sum().log()
    assert (costly.loss - plain.loss).item() == pytest.approx(0.3 * missed.item() / 12, rel=1e-4)
    phrases = PhraseTargets(shares, batch.captions.targets, torch.tensor([0]), torch.tensor([0]))
    objective = self_critical_objective(targets, 4, attention_supervision=0.3)
    with pytest.raises(ValueError, match="NounBoxes"):  # which know no sampled captions
        objective.training(model, features, batch._replace(attention_targets=phrases), seed=0)


@pytest.mark.slow
def test_attention_that_is_taught_lies_on_what_is_named(trained, shapes, tmp_path):
    examples = read_dataset(shapes).located_split("train")
    inside = []
    out = run(tiny(epochs=2, attention_supervision=1.0), shapes, tmp_path / "run", init=trained)
    for folder in (trained, out):
        model, _, vocabulary = load_model(folder)
        tree = PrefixTree.from_captions(encode_captions(examples, vocabulary, 20))
        targets = PhraseBoxes(examples, (8, 8), vocabulary).targets(range(len(examples)), tree)
        pixels = np.stack([preprocess(example.photo, model.encoder.preprocessing) for example in examples])
        with torch.no_grad():
            alpha = model(model.features(torch.from_numpy(pixels)), tree).attention[targets.nodes]
        inside.append(float((alpha * (targets.shares[targets.phrases] > 0)).sum(1).mean()))
    assert inside[1] > 2 * inside[0], inside


def test_supervision_without_boxes_is_refused(trained, shapes, tmp_path):
    bare = shutil.copytree(shapes, tmp_path / "bare")
    (bare / "objects.json").unlink()
    with pytest.raises(SightlineError, match=r"need boxes.*Flickr30k Entities"):
        run(tiny(attention_supervision=1.0), bare, tmp_path / "run", init=trained)


def test_augmented_photos_keep_their_captions_true():
    photo = Image.new("RGB", (80, 60), "blue")
    photo.paste("red", (0, 0, 40, 60))  # red on the left

    def is_mirrored(captions, seed):
        pixels = np.asarray(augment(photo, 32, captions, NO_BOXES, seed)[0], np.int64)
        return pixels[:, :4, 2].sum() > pixels[:, :4, 0].sum()

    assert {is_mirrored(["a red wall"], seed) for seed in range(20)} == {True, False}
    assert {is_mirrored(["a wall", "red on the Left ."], seed) for seed in range(20)} == {False}
    one, again, other = (np.asarray(augment(photo, 32, ["a wall"], NO_BOXES, seed)[0]) for seed in (1, 1, 2))
    assert one.shape == (32, 32, 3)
    assert (one == again).all()
    assert (one != other).any()
    state = torch.random.get_rng_state()
    augment(photo, 32, ["a wall"], NO_BOXES, 3)
    assert bool((torch.random.get_rng_state() == state).all())


def test_boxes_go_where_their_things_go():
    photo = Image.new("RGB", (80, 60), "blue")
    photo.paste("red", (8, 6, 32, 54))
    box = np.array([[0.1, 0.1, 0.4, 0.9], [0.0, 0.0, 0.004, 1.0]], np.float32)
    kept = set()
    for seed in range(20):
        image, (red, edge) = augment(photo, 64, ["a wall"], box, seed)
        pixels = np.asarray(image, np.int64)
        rows, columns = np.nonzero(pixels[:, :, 0] > pixels[:, :, 2])
        seen = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        np.testing.assert_allclose(red * 64, seen, atol=1.5)
        kept.add(bool(edge[2] > edge[0]))
    assert False in kept  # cropped away
