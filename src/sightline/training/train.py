"""From a recipe and a dataset to a model folder: the steps, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L
import torch

from sightline.export.export import export_into
from sightline.model_folder import cache_folder
from sightline.training.batches import encode_captions
from sightline.training.build import check_begun, check_new, keep_description, start, start_again
from sightline.training.callbacks import EpochRecord
from sightline.training.cpu import keep_freed_memory
from sightline.training.data import read_data
from sightline.training.distributed import joined
from sightline.training.divergence import check_learned
from sightline.training.from_recipe import make_module, make_objective
from sightline.training.interruption import interruptible
from sightline.training.loaders import make_loaders
from sightline.training.ranks import speaks
from sightline.training.recipe import Recipe
from sightline.training.results import leave_results
from sightline.training.run_lock import run_lock
from sightline.training.trainer import fit, make_trainer


def train(
    recipe: Recipe,
    data: Path | Sequence[Path],
    out: Path,
    resume: bool = False,
    init: Path | None = None,
    weights: Mapping[str, float] | None = None,
    cache: Path | None = None,
    export: bool = True,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a captioner and leave it in the folder ``out``, which is also returned.

    ``out`` ends with the model folder of the epoch that did best on the held-out captions, its ``model.onnx``,
    ``loss.png``, ``samples.png``, ``metrics.csv``, ``recipe.yaml``, TensorBoard logs and what resuming needs.

    On several devices there is a process for each, which torchrun started, or this one starts; rank zero writes and
    speaks. Every process returns when it has done its part, rank zero last.

    Args:
        recipe: see `load_recipe`.
        data: a dataset's folder, in any layout that `read_dataset` knows, or several, to be learned from at once; each
            needs a train and a val split. The best epoch is that of the lowest mean loss over all their held-out
            words, unless ``training.monitor`` names a score.
        out: a new or empty folder, unless ``resume``.
        resume: continue an interrupted training; the result equals an unbroken one's.
        init: a model folder to start from; the recipe must describe a model of the same shape. It keeps its words, and
            learns those of the data that are new. Resuming does without.
        weights: a dataset's name -> how often an epoch shows each of its photos; see `read_data`.
        cache: where a frozen encoder's features are kept; by default ``features`` in the user's cache folder.
        export: also write model.onnx, by which the model captions without torch.
        progress: show progress bars.
        say: told what happens, a line at a time.

    Raises:
        SightlineError: the data, the encoder's weights or ``out`` cannot be used; the training diverged, or was
            interrupted by Ctrl-C, SIGTERM or a full disk. The message says what would help.
    """
    if speaks():
        _check(recipe, out, resume)
    keep_freed_memory()
    folders = [data] if isinstance(data, Path) else list(data)
    asked = {"recipe": recipe, "data": folders, "out": out, "resume": resume, "init": init, "weights": weights}
    with (
        joined(recipe.training.devices, {**asked, "cache": cache}) as ranks,
        run_lock(out, ranks),
        interruptible(out),
    ):
        if recipe.training.threads is not None:
            torch.set_num_threads(recipe.training.threads)
        _check(recipe, out, resume)  # again: another training may have ended meanwhile
        say = say if ranks.is_rank_zero else _in_silence
        with ranks.rank_zero_goes_ahead():  # what it indexes of shards is there for the others
            read = read_data(folders, weights or {}, recipe.training.needs_boxes, say)
        L.seed_everything(recipe.training.seed, verbose=False)
        with ranks.rank_zero_goes_ahead():
            model, config, vocabulary = start_again(read, out, say) if resume else start(recipe, read, init, say)
            if ranks.is_rank_zero and not resume:
                keep_description(out, recipe, config, vocabulary)
        photos = {split: len(examples) for split, examples in read.examples.items()}
        say(f"{photos['train']} training photos, {photos['val']} held out, {len(vocabulary)} {vocabulary.split}")

        longest = recipe.vocabulary.max_words
        targets = {split: encode_captions(part, vocabulary, longest) for split, part in read.examples.items()}
        objective = make_objective(recipe, read.examples["train"], vocabulary, targets)
        module = make_module(model, objective, recipe, read.examples["val"], vocabulary)
        record = EpochRecord(out / "metrics.csv", objective.value, recipe.training.written_scores())
        trainer = make_trainer(recipe, ranks, objective, record, out, progress and ranks.is_rank_zero)
        features = cache or cache_folder("features")
        loaders = make_loaders(recipe, read, targets, vocabulary, model.encoder, features, ranks, say)
        fit(trainer, module.train(), loaders, out, resume)
        if not ranks.is_rank_zero:
            return out
        check_learned(out, record.rows, module.objective, len(vocabulary))
        leave_results(out, module, config, vocabulary, record.rows, read.examples["val"], say)
        if export:
            made = export_into(out)
            say(f"{made.path.name}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")
    return out


def _in_silence(line: str) -> None:
    """What other ranks have to say is what rank zero says."""


def _check(recipe: Recipe, out: Path, resume: bool) -> None:
    if resume:
        check_begun(out, recipe)
    else:
        check_new(out)
