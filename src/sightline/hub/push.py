"""A model folder -> the Hub, in one commit, with a model card: what the Hub shows of a model and lists it by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.hub.fetch import Address, hub_errors, parse_address
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, WEIGHTS, ModelConfig, training_in_words

# For captioning and for training on. Never a checkpoint, which is a pickle, nor pictures of somebody's photos.
_FILES = (CONFIG, VOCABULARY, ONNX, WEIGHTS, CARD, "recipe.yaml")

# Metric here -> its name on the Hub.
_METRICS = {f"BLEU-{n}": "bleu" for n in range(1, 5)} | {"METEOR": "meteor", "ROUGE-L": "rouge", "CIDEr": "cider"}


def push(run: Path, name: str, facts: Mapping[str, Any], private: bool = False, license: str | None = None) -> Address:
    """Push a model to the Hub as ``USER/NAME``, with its card; returns the address of this commit.

    Args:
        run: a model folder with a model.onnx, as written by a training or an export.
        name: ``USER/NAME``; created if it does not exist.
        facts: the content of its evaluation's scores.json, for the card; empty if there is none.
        private: whether a newly created model is visible to its owner only.
        license: the Hub's identifier, e.g. ``apache-2.0``.

    Raises:
        SightlineError: ``run`` is not a complete model folder, ``name`` is not a name, or the Hub refuses or cannot be
            reached; then nothing on the Hub has changed.
    """
    address = parse_address(name)
    if address.revision:
        raise SightlineError(f"{name}: a push creates the revision; leave out @{address.revision}")
    config = Captioner(run).config  # checks that the files belong together
    with hub_errors(address):
        from huggingface_hub import CommitOperationAdd, HfApi

        card = _model_card(run, address.name, config, facts, license).encode()
        operations = [CommitOperationAdd(file, run / file) for file in _FILES if (run / file).is_file()]
        api = HfApi(library_name="sightline", token=True)
        api.create_repo(address.name, private=private, exist_ok=True)
        operations.append(CommitOperationAdd("README.md", card))
        commit = api.create_commit(address.name, operations, commit_message="Push from sightline")
    return Address(address.name, commit.oid)


def _model_card(run: Path, name: str, config: ModelConfig, facts: Mapping[str, Any], license: str | None) -> str:
    """README.md: the Hub's metadata, then the model's own card, or else a description from its configuration."""
    from huggingface_hub import ModelCardData

    scores = {score: value for score, value in facts.get("scores", {}).items() if score in _METRICS}
    data = ModelCardData(
        library_name="sightline",
        pipeline_tag="image-to-text",
        tags=["image-captioning", "attention", "onnx"],
        license=license,
        metrics=sorted({_METRICS[score] for score in scores}) or None,
        model_name=name.partition("/")[2],
        eval_results=_results(scores, facts) or None,
    )
    card = run / CARD
    body = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else _description(name, config)
    usage = f'\n## Use\n\n    pip install "sightline[hub]"\n    sightline caption PHOTO --model hf://{name}\n'
    return f"---\n{data.to_yaml()}\n---\n\n{body.rstrip()}\n{_table(scores, facts)}{usage}"


def _results(scores: Mapping[str, float], facts: Mapping[str, Any]) -> list[Any]:
    from huggingface_hub import EvalResult

    name = str(facts.get("data", {}).get("name", "unknown"))
    about: dict[str, Any] = {"task_type": "image-to-text", "task_name": "Image captioning"}
    about |= {"dataset_type": name.lower(), "dataset_name": name, "dataset_split": facts.get("split")}
    return [
        EvalResult(**about, metric_type=_METRICS[score], metric_name=score, metric_value=round(100 * value, 2))
        for score, value in scores.items()
    ]


def _description(name: str, config: ModelConfig) -> str:
    height, width = config.grid
    training = [f"- {label}: {value}" for label, value in training_in_words(config.training).items()]
    return f"""# {name.partition("/")[2]}

Describes a photo in a sentence of at most {config.max_words} words, with attention over a grid of {height}x{width}
cells for every word. Encoder {config.encoder}, decoder {config.decoder}.

## Training

""" + "\n".join(training)


def _table(scores: Mapping[str, float], facts: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    intervals = {score: [f"{100 * end:.1f}" for end in pair] for score, pair in facts.get("intervals", {}).items()}
    rows = [
        f"| {name} | {100 * value:.1f} | {' to '.join(intervals.get(name, []))} |" for name, value in scores.items()
    ]
    dataset = f"{facts.get('photos', '?')} photos of {facts.get('data', {}).get('name', 'a dataset')}"
    protocol = f"{dataset}, split {facts.get('split', '?')}, beam size {facts.get('beam_size', '?')}, scores times 100"
    warnings = "".join(f"\n{warning}\n" for warning in facts.get("warnings", []))
    head = f"\n## Evaluation\n\n{protocol}, with 95% bootstrap intervals.\n{warnings}\n"
    return "\n".join([f"{head}| | score | interval |", "|---|---|---|", *rows, ""])
