import json
import pickle
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from sightline.cli.train import train
from sightline.errors import SightlineError
from sightline.training.recipe import Recipe, list_options, load_recipe

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_survives_saving(path, tmp_path):
    recipe = load_recipe(path)
    recipe.save(tmp_path / "again.yaml")
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_baseline_holds_the_methods_values():
    recipe = load_recipe(next(path for path in RECIPES if path.stem == "baseline"))
    decoder, training = recipe.decoder, recipe.training
    assert (recipe.encoder.name, recipe.encoder.trainable) == ("mobilenet_v2", False)
    assert (decoder.hidden_size, decoder.embedding_size, decoder.dropout) == (512, 256, 0.5)
    assert (decoder.name, decoder.attention, recipe.vocabulary.max_words) == ("gru", "every_step", 20)
    assert (training.learning_rate, training.batch_size, training.epochs) == (1e-3, 32, 10)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("decoder:\n  hiden_size: 3\n", ["decoder.hiden_size", "hidden_size"]),
        ("model: {}\n", ["model", "decoder"]),
        ("training:\n  epochs: many\n", ["training.epochs", "many"]),
        ("training:\n  epochs: 0\n", ["training.epochs", "greater than or equal to 1"]),
        ("training:\n  epochs: 2.5\n", ["training.epochs"]),
        ("training:\n  devices: 0\n", ["training.devices: input should be greater than or equal to 1"]),
        ("decoder:\n  dropout: 1.0\n", ["decoder.dropout", "less than 1"]),
        ("decoder:\n  attention: sometimes\n", ["decoder.attention", "every_step"]),
        ("encoder:\n  weights: none\n", ["encoder.weights", "trainable"]),
        ("encoder:\n  augmentation: true\n", ["encoder.augmentation", "trainable"]),
        ("encoder:\n  frozen_blocks: 3\n", ["encoder.frozen_blocks", "trainable"]),
        ("decoder:\n  attention: once\ntraining:\n  objective: self_critical\n", ["every_step", "self_critical"]),
        ("training:\n  hallucination_penalty: 0.1\n", ["hallucination_penalty", "self_critical"]),
        ("training:\n  break_off_penalty: 0.1\n", ["break_off_penalty", "self_critical"]),
        ("training:\n  cross_entropy_weight: 0.1\n", ["cross_entropy_weight", "self_critical"]),
        ("training:\n  captions_weight: 0.1\n", ["cross_entropy_weight", "self_critical"]),
        (
            "training:\n  captions_weight: 0.1\n  cross_entropy_weight: 0.1\n",
            ["captions_weight", "cross_entropy_weight"],
        ),
        ("vocabulary:\n  split: words\n  unit: words\n", ["vocabulary.split", "vocabulary.unit"]),
        ("vocabulary:\n  split: letters\n", ["vocabulary.unit", "letters", "characters"]),
        ("encoder:\n  statistics: true\n", ["encoder.statistics", "freeze_batch_norm"]),
        ("training:\n  seed: 4294967296\n", ["training.seed", "4294967295"]),
        ("training:\n  seed: -1\n", ["training.seed", "0"]),
        ("training:\n  bleu_weight: 0.1\n", ["bleu_weight", "self_critical"]),
        ("decoder:\n  attention: once\n  query: hidden_and_word\n", ["decoder.query", "every_step"]),
        ("encoder:\n  name: vgg\n", ["encoder.name", "vgg", "mobilenet_v2", "efficientnet_lite2"]),
        ("encoder:\n  name: 3\n", ["encoder.name", "3"]),
        ("training:\n  attention_supervision: -1\n", ["training.attention_supervision"]),
        (
            "decoder:\n  attention: once\ntraining:\n  attention_supervision: 1\n",
            ["training.attention_supervision", "every_step"],
        ),
        ("decoder:\n  name: rnn\n", ["decoder.name", "rnn", "gru", "transformer"]),
        ("decoder:\n  name: transformer\n  attention_size: 3\n", ["decoder.attention_size", "heads"]),
        ("decoder:\n  name: transformer\n  hidden_size: 30\n", ["decoder.hidden_size", "heads"]),
        ("decoder:\n  name: transformer\n  positions: 20\n", ["decoder.positions", "max_words"]),
        ("decoder:\n  name: transformer\n  layers: 0\n", ["decoder.layers", "greater than or equal to 1"]),
        ("training:\n  attention_entropy: .inf\n", ["training.attention_entropy", "finite"]),
        ("training:\n  samples: 1\n", ["training.samples", "greater than or equal to 2"]),
        ("training:\n  monitor: cider\n", ["training.monitor", "cider", "CIDEr"]),
        ("training:\n  scores: [BLEU-4, METEOR]\n", ["training.scores", "METEOR", "ROUGE-L"]),
        ("- a list\n", ["sections"]),
        ("a: [\n", ["YAML"]),
        ("training:\n  epochs: 1\nencoder: {}\ntraining:\n  epochs: 2\n", ["line 4", "'training'", "twice"]),
        ("training:\n  epochs: 1\n  epochs: 2\n", ["line 3", "'epochs'", "twice"]),
        ("training: {scores: [{a: 1, a: 1}]}\n", ["line 1", "'a'", "twice"]),
        ("training: &a\n  epochs: *a\n", ["line 1", "anchor"]),
        ("training:\n  scores: &b [CIDEr, *b]\n", ["line 2", "anchor"]),
        ("training: 5\n", ["training", "section", "5"]),
        ("decoder: [gru]\n", ["decoder", "section", "gru"]),
        ("training: {1: 2}\n", ["unknown key training.1", "epochs"]),
        ("training: {seed: 1" + "0" * 5000 + "}\n", ["line 1", "100000", "number"]),
        ("training: {epochs: 2024-13-45}\n", ["line 1", "2024-13-45"]),
        ("[" * 5000, ["too deep"]),
        ("---\n---\n", ["line 2", "another document"]),
    ],
)
def test_a_bad_recipe_is_refused_by_key_and_file(tmp_path, text, words):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SightlineError) as refused:
        load_recipe(path)
    message = str(refused.value)
    assert "\n" not in message
    for word in [*words, "mine.yaml"]:
        assert word in message


def test_a_section_whose_options_are_comments_is_empty(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training:\n  # epochs: 3\ndecoder:\nencoder: ~\n")
    assert load_recipe(path) == Recipe()
    assert load_recipe(path, ["training.epochs=4"]).training.epochs == 4


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("runs/my run #2/model", "runs/my run #2/model"),
        ("#2", "#2"),
        ("a#2", "a#2"),
        ('"my run #2"', "my run #2"),
        ("2024-13-45", "2024-13-45"),
        ("*a", "*a"),
    ],
)
def test_a_setting_is_never_cut(text, value, tmp_path):
    (tmp_path / "mine.yaml").touch()
    assert load_recipe(tmp_path / "mine.yaml", [f"encoder.weights={text}"]).encoder.weights == value


@pytest.mark.parametrize("number", ["4294967296", "-1", "9" * 5000, "3 # yes"])
def test_a_setting_out_of_its_bounds_is_one_short_line(number, tmp_path):
    (tmp_path / "mine.yaml").touch()
    with pytest.raises(SightlineError, match=r"training\.seed: ") as refused:
        load_recipe(tmp_path / "mine.yaml", [f"training.seed={number}"])
    assert len(str(refused.value)) < 250 + len(str(tmp_path))


def test_settings_override_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("training:\n  epochs: 4\n")
    recipe = load_recipe(path, ["training.learning_rate=1e-4", "decoder.attention=once", "training.patience=null"])
    assert recipe.training.epochs == 4
    assert recipe.training.learning_rate == 1e-4
    assert recipe.decoder.attention == "once"
    with pytest.raises(SightlineError, match=r"training\.epoch"):
        load_recipe(path, ["training.epoch=4"])
    with pytest.raises(SightlineError, match=r"section\.key=value"):
        load_recipe(path, ["epochs"])


def test_defaults_are_the_baseline():
    assert Recipe().decoder == load_recipe(next(path for path in RECIPES if path.stem == "baseline")).decoder


def test_options_may_have_their_old_names(tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text(
        "encoder:\n  trainable: true\n  statistics: keep\nvocabulary:\n  split: characters\n"
        "training:\n  objective: self_critical\n  captions_weight: 0.1\n"
    )
    recipe = load_recipe(path)
    assert (recipe.encoder.freeze_batch_norm, recipe.vocabulary.unit) == (True, "characters")
    assert recipe.training.cross_entropy_weight == 0.1
    old = ["encoder.statistics=learn", "vocabulary.split=subwords", "training.captions_weight=0.2"]
    new = ["encoder.freeze_batch_norm=false", "vocabulary.unit=subwords", "training.cross_entropy_weight=0.2"]
    assert load_recipe(path, old) == load_recipe(path, new)
    assert load_recipe(path, new).training.cross_entropy_weight == 0.2
    with pytest.raises(SightlineError, match=r"captions_weight.*cross_entropy_weight"):
        load_recipe(path, [old[2], new[2]])


def test_the_packages_last_stage_is_a_recipe():
    recorded = json.loads((ROOT / "benchmarks/results/9f-lite-bleu.json").read_text())["recipe"]
    path, *rest = shlex.split(recorded)
    assert load_recipe(ROOT / path, rest[1::2]) == load_recipe(ROOT / "recipes/lite_bleu.yaml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_editors_are_told_the_schema_of_every_recipe(path):
    first = path.read_text().splitlines()[0]
    assert (path.parent / first.removeprefix("# yaml-language-server: $schema=")).is_file()


def test_every_option_has_a_description_and_a_default_that_it_allows():
    for summary, options in list_options().values():
        assert summary
        for option in options:
            assert option.key.count(".") == 1 and option.description.endswith(".") and option.values, option
    training = {option.key: option for option in list_options()["training"][1]}
    assert training["training.learning_rate"][1:3] == ("0.001", "number above 0, up to 1")
    assert training["training.seed"][1:3] == ("0", "integer from 0, up to 4294967295")
    assert training["training.patience"][1:3] == ("null", "integer from 1, or null")


@pytest.mark.slow
def test_the_reference_and_the_schema_are_those_of_the_options():
    check = subprocess.run(
        [sys.executable, ROOT / "tools/recipe_reference.py"], capture_output=True, text=True, check=False
    )
    assert check.returncode == 0, check.stderr


def test_options_are_printed_without_a_dataset():
    printed = CliRunner().invoke(train, ["--options"])
    assert printed.exit_code == 0
    for _, options in list_options().values():
        for option in options:
            rows = [line.split() for line in printed.output.splitlines()]
            assert any(row[:2] == option[:2] for row in map(tuple, rows)), option


def test_a_recipe_reaches_other_processes(tmp_path):
    (tmp_path / "mine.yaml").write_text("decoder: {name: transformer, layers: 1}\ntraining: {penalties: {}}\n")
    recipe = load_recipe(tmp_path / "mine.yaml")
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe and again.decoder.layers == 1
    make, (values,) = recipe.__reduce__()
    values["encoder"]["name"] = "of_a_plugin"
    with pytest.raises(SightlineError, match=r"encoder\.name: 'of_a_plugin' is none of .*--plugin"):
        make(values)


def test_penalties_have_weights_and_options(tmp_path):
    (tmp_path / "mine.yaml").write_text("training: {objective: self_critical, break_off_penalty: 0.2}\n")
    recipe = load_recipe(tmp_path / "mine.yaml", ["training.penalties={hallucination: 0.5}"])
    assert recipe.training.weighted_penalties() == {"break_off": {"weight": 0.2}, "hallucination": {"weight": 0.5}}
    assert recipe.training.needs_boxes and recipe.training.samples_captions
    for penalties, said in (
        ("{nothing: 1}", "is none of"),
        ("{break_off: 1}", "give one"),
        ("{hallucination: -1}", "weight"),
    ):
        with pytest.raises(SightlineError, match=said):
            load_recipe(tmp_path / "mine.yaml", [f"training.penalties={penalties}"])
