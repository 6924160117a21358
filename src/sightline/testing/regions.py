"""What every reader of regions promises."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from sightline.data.dataset import read_dataset
from sightline.data.regions.base import REGION_READERS
from sightline.vocabulary import split_words


def check_regions(name: str, root: Path) -> None:
    """Check a registered reader of regions, by its name, on the dataset in the folder ``root``, which has boxes.

    - It finds boxes there, says where, and finds none, and no fault, in an empty folder.
    - Regions are aligned with the captions, and their phrases lie in them.
    - Boxes are shares of the photo's width and height, from 0 to 1, and none is empty.

    Raises:
        AssertionError: a promise is not kept.
        SightlineError: there is no such reader, or no dataset.
    """
    examples = [example for split in read_dataset(root).splits.values() for example in split]
    read = REGION_READERS[name].read
    with TemporaryDirectory() as empty:
        assert read(Path(empty), examples) is None, "in an empty folder there are none: return None"
    located = read(root, examples)
    assert located is not None and located.photos, f"{root}: no boxes were found"
    assert located.source, "it says where the boxes come from"
    known = {example.name: example for example in examples}
    for photo, of_captions in located.regions.items():
        assert photo in known, f"{photo}: not a photo that was asked for"
        captions = known[photo].captions
        assert len(of_captions) == len(captions), f"{photo}: regions of {len(of_captions)} captions, of {len(captions)}"
        for caption, regions in zip(captions, of_captions, strict=True):
            words = split_words(caption)
            for region in regions:
                assert 0 <= region.start < region.stop <= len(words), f"{photo}: {region} is no phrase of {words}"
                assert region.boxes, f"{photo}: {region} has no box"
                for left, top, right, bottom in region.boxes:
                    assert 0 <= left < right <= 1 and 0 <= top < bottom <= 1, f"{photo}: {region} lies outside"
