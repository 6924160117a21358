"""Train a captioner: from a recipe and a dataset to a model folder, one step after another."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import lightning as L
import torch

from sightline.export.export import export_into
from sightline.model_folder import as_path, cache_folder
from sightline.nn.repeats import repeats_of_model
from sightline.plugins import refuse_while_loading
from sightline.training.batches import encode_captions, make_loaders, tell_cut_off
from sightline.training.build import make_module, make_objective, new_model, resumed_model, write_description
from sightline.training.callbacks import EpochRecord, check_learned
from sightline.training.checkpoints import last_checkpoint
from sightline.training.cpu import keep_freed_memory
from sightline.training.data import read_data
from sightline.training.distributed import is_rank_zero, joined
from sightline.training.module import make_trainer
from sightline.training.recipe import Recipe
from sightline.training.results import write_results
from sightline.training.run_folder import check_new, check_resumable, interruptible, run_lock


def train(
    recipe: Recipe,
    data: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    resume: bool = False,
    init: str | os.PathLike[str] | None = None,
    repeats: Mapping[str, float] | None = None,
    regions: Mapping[str, Path] | None = None,
    cache: Path | None = None,
    export: bool = True,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Path:
    """Train a captioner and leave it in the folder ``out``, which is also returned.

    ``out`` ends with the model folder of the epoch that did best on the held-out captions, its ``model.onnx``,
    ``loss.png``, ``samples.png``, ``metrics.csv``, ``recipe.yaml``, TensorBoard logs and what resuming needs.

    On several devices there is a process for each, which torchrun or this function starts; rank zero alone writes and
    prints. Every process returns when its part is done, rank zero last.

    Args:
        recipe: see `load_recipe`.
        data: a dataset's folder, in any layout that `read_dataset` knows, or several folders; each dataset needs a
            train and a val split. The best epoch has the lowest mean loss over all held-out words, unless
            ``training.monitor`` names a score.
        out: a new or empty folder, unless ``resume``.
        resume: continue an interrupted training; the result equals an unbroken one's.
        init: a model folder to start from; the recipe must describe a model of the same shape. Its vocabulary is kept
            and extended by the data's new words. Not needed for resuming.
        repeats: a dataset's name -> how often an epoch shows each of its photos; see `read_data`.
        regions: a dataset's name -> where its regions are, if not in its folder; see `read_data`.
        cache: where a frozen encoder's features are kept; by default ``features`` in the user's cache folder.
        export: also write model.onnx, by which the model captions without torch.
        progress: show progress bars.
        say: called with each line of what happens.

    Raises:
        SightlineError: the data, the encoder's weights or ``out`` cannot be used; the training diverged, or was
            interrupted by Ctrl-C, SIGTERM or a full disk. The message says what would help.
    """
    refuse_while_loading("trains")
    out, init = as_path(out), None if init is None else as_path(init)
    check = partial(check_resumable, out, recipe) if resume else partial(check_new, out)
    if is_rank_zero():
        check()
    keep_freed_memory()
    folders = list(map(as_path, [data] if isinstance(data, str | os.PathLike) else data))
    work = partial(train, recipe, folders, out, resume, init, repeats, regions, cache)
    with joined(recipe.training.devices, work, out) as ranks, run_lock(out, ranks), interruptible(out):
        if recipe.training.threads is not None:
            torch.set_num_threads(recipe.training.threads)
        check()  # again: another training may have ended meanwhile
        say = say if ranks.is_rank_zero else lambda line: None
        with ranks.rank_zero_first():  # it indexes shards for all
            skips = recipe.training.unreadable == "skip"
            dataset = read_data(folders, repeats or {}, recipe.training.needs_boxes, say, regions, skips)
        held_out = dataset.examples["val"]
        L.seed_everything(recipe.training.seed, verbose=False)
        with ranks.rank_zero_first():
            started = resumed_model(recipe, dataset, out, say) if resume else new_model(recipe, dataset, init, say)
            model, config, vocabulary = started
            if ranks.is_rank_zero and not resume:
                write_description(out, recipe, config, vocabulary)
        photos = {split: len(examples) for split, examples in dataset.examples.items()}
        say(f"{photos['train']} training photos, {photos['val']} held out, {len(vocabulary)} {vocabulary.unit}")

        max_words = recipe.vocabulary.max_words
        targets = {split: encode_captions(part, vocabulary, max_words) for split, part in dataset.examples.items()}
        tell_cut_off(targets["train"], max_words, say)
        objective = make_objective(recipe, dataset.examples["train"], vocabulary, targets)
        module = make_module(
            recipe, model, objective, held_out, vocabulary, repeats_of_model(config, vocabulary)
        ).train()
        for line in module.slower:
            say(line)
        record = EpochRecord(out / "metrics.csv", objective.value, recipe.training.written_scores())
        trainer = make_trainer(module, ranks, record, out, progress=progress and ranks.is_rank_zero)
        cache = cache or cache_folder("features")
        loaders = make_loaders(recipe, dataset, targets, vocabulary, model.encoder, cache, ranks, say)
        trainer.fit(module, loaders["train"], loaders["val"], ckpt_path=last_checkpoint(out) if resume else None)
        if not ranks.is_rank_zero:
            return out
        check_learned(out, record.rows, objective, len(vocabulary))
        write_results(out, module, config, vocabulary, record.rows, held_out, say)
        if export:
            exported = export_into(out)
            difference = exported.agreement.difference
            say(f"{exported.path.name}: {exported.size / 1e6:.1f} MB, agrees with torch to {difference:.0e}")
    return out
