"""The objectives and penalties that a recipe chooses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sightline.registry import Registry

GIVEN = ("examples", "vocabulary", "train_targets", "val_targets", "max_words", "penalties")
"""What objectives and penalties are given by name, where they have such a parameter.

The training photos, a sequence of `Example`; the `Vocabulary`; the captions of all training and of all held-out photos,
int64 (N, C, T), see `sightline.training.batches.encode_captions`; T, the longest caption; and, to objectives, the
recipe's penalties with their weights. Their other parameters are options of the recipe: of ``training``, where it has
an option of that name, otherwise of ``training.objective_options`` or of the penalty.
"""

OBJECTIVES: Registry[Callable[..., Any]] = Registry("objective", "objectives", "sightline.training.objectives")
"""Classes of `sightline.training.objective.Objective`, or what makes one."""

PENALTIES: Registry[Callable[..., Any]] = Registry("penalty", "penalties", "sightline.training.penalties")
"""Classes of `sightline.training.penalty.Penalty`, or what makes one."""
