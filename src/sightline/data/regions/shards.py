"""Regions in shards: "regions" in a photo's ``.json``.

For each of its "captions" a list of phrases, each ``[start, stop, [box, ...]]`` as in `Region`, boxes of four shares:

    {"file_name": "1.jpg", "captions": ["A red ball ."], "regions": [[[1, 3, [[0.1, 0.2, 0.5, 0.6]]]]]}
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from sightline.data.example import Box, Example, Region, Regions
from sightline.data.large.shard_index import Sample, TruncatedShard, read_samples
from sightline.data.regions.base import Located, register_regions
from sightline.images.source import TarSource


def regions_to_json(regions: Regions) -> list[Any]:
    """The regions as they are written to a ``.json``."""
    return [[[region.start, region.stop, region.boxes] for region in phrases] for phrases in regions]


@register_regions("shards", looks_for="the dataset's own shards with regions", rank=0)
def read(root: Path, examples: Sequence[Example]) -> Located | None:
    """Read the shards that lie in ``root``; a shard has regions if its first photo has the field."""
    captions = {example.name: len(example.captions) for example in examples if isinstance(example.photo, TarSource)}
    shards = {example.photo.path for example in examples if isinstance(example.photo, TarSource)}
    shards = {shard for shard in shards if Path(shard).is_relative_to(root)}
    by_image: dict[str, Regions] = {}
    problems = []
    any_regions = False
    for shard in sorted(shards):
        with suppress(TruncatedShard, OSError):  # reported by the index
            samples = read_samples(Path(shard))
            first = next(samples, None)
            if first is None or first.regions is None:
                continue
            any_regions = True
            for sample in chain([first], samples):
                if sample.name in captions:
                    try:
                        by_image[sample.name] = _regions(sample, captions[sample.name])
                    except (TypeError, ValueError):
                        problems.append(f"{shard}: {sample.key}.json (its regions make no sense)")
    regions = {image: each for image, each in by_image.items() if any(each)}
    return Located(f"the shards in {root}", regions, tuple(problems)) if any_regions else None


def _regions(sample: Sample, captions: int) -> Regions:
    regions = tuple(
        tuple(Region(int(start), int(stop), tuple(map(_box, boxes))) for start, stop, boxes in phrases)
        for phrases in sample.regions
    )
    sound = all(0 <= region.start < region.stop and region.boxes for phrases in regions for region in phrases)
    if not sound or len(regions) not in (0, captions):
        raise ValueError
    return regions


def _box(corners: Any) -> Box:
    left, top, right, bottom = map(float, corners)
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError
    return left, top, right, bottom
