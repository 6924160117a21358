"""Captions into FiftyOne, for people to correct in its App; the export is a dataset that `sightline train` reads.

    sightline caption photos --out captions.jsonl
    python fiftyone_captions.py load captions.jsonl my-photos
    fiftyone app launch my-photos
    python fiftyone_captions.py export my-photos photos/captions.csv

docs/using_captions.md has every step.
"""

import json
import sys
from pathlib import Path

import fiftyone as fo

from sightline.caption import sureness

REVIEWED = "reviewed"


def load(captions: Path, name: str) -> fo.Dataset:
    """A dataset, which FiftyOne keeps, of the rows of `sightline caption --out` that have a caption.

    Sorted by ``confidence``, the captions that need a person most come first.
    """
    with captions.open(encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if not row["error"]]
    dataset = fo.Dataset(name, persistent=True)
    dataset.add_samples(
        fo.Sample(
            filepath=str(Path(row["photo"]).resolve()),
            caption=row["caption"],
            confidence=sureness(row.get("confidence"), row["log_probs"], row.get("kind")),
        )
        for row in rows
    )
    # In the App's Annotate tab: a line of text, instead of all captions to choose from, and a box to tick.
    reviewed = {"type": "list<str>", "component": "checkboxes", "values": [REVIEWED]}
    dataset.set_label_schemas({"caption": {"type": "str", "component": "text"}, "tags": reviewed})
    dataset.activate_label_schemas(["caption", "tags"])
    return dataset


def export(name: str, table: Path) -> int:
    """Write the captions of the samples with the tag ``reviewed`` to a CSV file in the photos' folder; their number."""
    reviewed = fo.load_dataset(name).match_tags(REVIEWED)
    if not reviewed:
        raise ValueError(f"{name}: no sample has the tag {REVIEWED!r}; tick it beside the captions that are right")
    reviewed.export(
        dataset_type=fo.types.CSVDataset,
        labels_path=str(table.resolve()),
        export_media=False,
        rel_dir=str(table.resolve().parent),
        fields={"filepath": "file_name", "caption": "caption"},
    )
    return len(reviewed)


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case ["load", captions, name]:
                print(f"{name}: {len(load(Path(captions), name))} photos")
            case ["export", name, table]:
                print(f"{table}: {export(name, Path(table))} captions")
            case _:
                sys.exit("usage: fiftyone_captions.py load CAPTIONS.jsonl NAME | export NAME PHOTOS/captions.csv")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
