"""The model card: what the Hub shows of a model, and the figures that it lists models by."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sightline.model_folder import CARD, ModelConfig

# A score's name here -> the metric's name there.
_METRICS = {
    **{f"BLEU-{n}": "bleu" for n in range(1, 5)},
    **{"METEOR": "meteor", "ROUGE-L": "rouge", "CIDEr": "cider"},
}


def model_card(run: Path, name: str, config: ModelConfig, facts: Mapping[str, Any], license: str | None = None) -> str:
    """README.md: the Hub's metadata, then the model's own card, or what its configuration tells.

    Args:
        run: the model folder.
        name: ``USER/NAME``.
        config: the model's.
        facts: what an evaluation's scores.json holds; empty where there is none.
        license: as the Hub calls it, e.g. ``apache-2.0``.
    """
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
    own = (run / CARD).read_text(encoding="utf-8", errors="replace") if (run / CARD).is_file() else _told(name, config)
    return f"---\n{data.to_yaml()}\n---\n\n{own.rstrip()}\n{_table(scores, facts)}{_use(name)}"


def _results(scores: Mapping[str, float], facts: Mapping[str, Any]) -> list[Any]:
    from huggingface_hub import EvalResult

    dataset = str(facts.get("data", {}).get("name", "unknown"))
    return [
        EvalResult(
            task_type="image-to-text",
            task_name="Image captioning",
            dataset_type=dataset.lower(),
            dataset_name=dataset,
            dataset_split=facts.get("split"),
            metric_type=_METRICS[score],
            metric_name=score,
            metric_value=round(100 * value, 2),
        )
        for score, value in scores.items()
    ]


def _told(name: str, config: ModelConfig) -> str:
    height, width = config.grid
    known = {key: value for key, value in config.training.items() if key != "fingerprint"}
    return "\n".join(
        [
            f"# {name.partition('/')[2]}",
            "",
            f"Describes a photo in a sentence of at most {config.max_words} words, with an attention map over"
            f" {height}x{width} places for every word. Encoder {config.encoder}, decoder {config.decoder}.",
            "",
            "## Training",
            "",
            *(f"- {key.replace('_', ' ')}: {value}" for key, value in known.items()),
        ]
    )


def _table(scores: Mapping[str, float], facts: Mapping[str, Any]) -> str:
    if not scores:
        return ""
    ends = {score: [f"{100 * end:.1f}" for end in pair] for score, pair in facts.get("intervals", {}).items()}
    rows = [f"| {score} | {100 * value:.1f} | {' to '.join(ends.get(score, []))} |" for score, value in scores.items()]
    where = f"{facts.get('photos', '?')} photos of {facts.get('data', {}).get('name', 'a dataset')}"
    told = f"{where}, {facts.get('split', 'some')} split, beam {facts.get('beam_size', '?')}, times 100"
    doubts = "".join(f"\n{doubt}\n" for doubt in facts.get("warnings", []))
    head = (
        f"\n## Evaluation\n\n{told}, with 95% bootstrap intervals.\n{doubts}\n| | score | interval |\n|---|---|---|\n"
    )
    return head + "\n".join(rows) + "\n"


def _use(name: str) -> str:
    return f'\n## Use\n\n    pip install "sightline[hub]"\n    sightline caption PHOTO --model hf://{name}\n'
