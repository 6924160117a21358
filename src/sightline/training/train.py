"""From a recipe and a dataset to a model folder: the steps, one after another."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import lightning as L
import torch

from sightline.export.export import export_into
from sightline.training.allocator import keep_freed_memory
from sightline.training.alone import alone_in
from sightline.training.batches import encode_captions
from sightline.training.data import read_data
from sightline.training.divergence import check_learned
from sightline.training.from_recipe import make_module, make_objective
from sightline.training.interruption import interruptible
from sightline.training.loaders import default_cache, make_loaders
from sightline.training.recipe import Recipe
from sightline.training.record import EpochRecord
from sightline.training.results import leave_results
from sightline.training.start import check_begun, check_new, start, start_again
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
    _check(recipe, out, resume)
    keep_freed_memory()
    if recipe.training.threads is not None:
        torch.set_num_threads(recipe.training.threads)
    folders = [data] if isinstance(data, Path) else data
    with alone_in(out), interruptible(out):
        _check(recipe, out, resume)  # again: another training may have ended meanwhile
        read = read_data(folders, weights or {}, recipe.training.attention_supervision > 0, say)
        L.seed_everything(recipe.training.seed, verbose=False)
        model, config, vocabulary = start_again(read, out, say) if resume else start(recipe, read, out, init, say)
        photos = {split: len(examples) for split, examples in read.examples.items()}
        say(f"{photos['train']} training photos, {photos['val']} held out, {len(vocabulary)} words")

        longest = recipe.vocabulary.max_words
        targets = {split: encode_captions(part, vocabulary, longest) for split, part in read.examples.items()}
        module = make_module(model, make_objective(recipe, targets), recipe, read.examples["val"], vocabulary)
        record = EpochRecord(out / "metrics.csv", module.objective.value, recipe.training.written_scores())
        trainer = make_trainer(recipe, module.objective, record, out, progress)
        features, process = cache or default_cache(), (trainer.global_rank, trainer.world_size)
        loaders = make_loaders(recipe, read, targets, vocabulary, model.encoder, features, *process, say)
        fit(trainer, module.train(), loaders, out, resume)
        check_learned(out, record.rows, module.objective, len(vocabulary))
        leave_results(out, module, config, vocabulary, record.rows, read.examples["val"], say)
        if export:
            made = export_into(out)
            say(f"{made.path.name}: {made.size / 1e6:.1f} MB, agrees with torch to {made.agreement.difference:.0e}")
    return out


def _check(recipe: Recipe, out: Path, resume: bool) -> None:
    if resume:
        check_begun(out, recipe)
    else:
        check_new(out)
