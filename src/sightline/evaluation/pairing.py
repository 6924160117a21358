"""Hypotheses and references of the same photos, from two files that may name these in two ways."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from sightline.annotations.caption_files import read_captions
from sightline.annotations.match import pair_photos
from sightline.errors import SightlineError
from sightline.metrics import check_photos


@dataclass(frozen=True)
class Pair:
    """What can be scored, by the references' names; ``remarks`` for a reader of the scores are a sentence each."""

    hypotheses: Mapping[str, str]
    references: Mapping[str, list[str]]
    remarks: tuple[str, ...]


def read_pair(
    hypotheses: str | os.PathLike[str], references: str | os.PathLike[str], split: str = "test", subset: bool = False
) -> Pair:
    """Read both files and match their photos.

    Args:
        hypotheses, references: files that `read_hypotheses` and `read_references` read.
        split: of references in Karpathy's JSON.
        subset: accept hypotheses for a part of the references' photos, and score that part.

    Raises:
        SightlineError: a file cannot be read, or the two are not about the same photos.
    """
    hypothesis_file, reference_file = read_captions(hypotheses), read_captions(references, split)
    captions, captions_by_photo = hypothesis_file.hypotheses(hypotheses), reference_file.by_photo()
    failed = hypothesis_file.failed
    pairs = pair_photos([*captions, *failed], captions_by_photo, reference_file.aliases)
    references_from = f"{references} ({reference_file.split})" if reference_file.split else str(references)
    remarks = [f"references: the {reference_file.split} split of {references}"] if reference_file.split else []
    if left_out := reference_file.left_out:
        more = f" and {len(left_out) - 1:,} more" if len(left_out) > 1 else ""
        remarks.append(f"left out of {references}: {left_out[0]}{more}")
    if renamed := [name for name, photo in pairs.items() if name != photo]:
        photos = "photo goes" if len(renamed) == 1 else "photos go"
        remarks.append(f"{len(renamed):,} {photos} by two names, e.g. {renamed[0]!r} and {pairs[renamed[0]]!r}")
    if failed:
        name, error = next(iter(failed.items()))
        photos = f"{len(failed):,} photo{'s' * (len(failed) != 1)}"
        remarks.append(f"not scored: {photos} without a caption, e.g. {name!r} ({error})")
        absent = {pairs[name] for name in failed}
        captions_by_photo = {photo: texts for photo, texts in captions_by_photo.items() if photo not in absent}
    captions = {pairs[name]: caption for name, caption in captions.items()}
    covered = {photo: captions_by_photo[photo] for photo in captions if photo in captions_by_photo}
    if not covered:
        names = f"{next(iter(captions))!r} here, {next(iter(captions_by_photo))!r} there"
        raise SightlineError(
            f"{hypotheses}: no photo in common with {references_from} ({names}); name the photos alike"
        )
    if len(covered) < len(captions_by_photo) and len(covered) == len(captions):
        part = f"{len(covered):,} of the {len(captions_by_photo):,} photos of {references_from}"
        if not subset:
            raise SightlineError(f"{hypotheses}: captions {part}; caption all, or score these with --subset")
        remarks.append(f"scored: {part}; CIDEr's document frequencies come from these alone")
        captions_by_photo = covered
    check_photos(captions, captions_by_photo, hypotheses, references_from)
    return Pair(captions, captions_by_photo, tuple(remarks))
