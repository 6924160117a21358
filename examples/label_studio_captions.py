"""Captions into Label Studio, for people to correct; its export is a dataset that `sightline train` reads.

    sightline caption photos --out captions.jsonl
    python label_studio_captions.py captions.jsonl photos tasks.json

Import tasks.json into a project whose labelling interface is label_studio.xml, and save the JSON-MIN export in the
folder of the photos; docs/using_captions.md has every step.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from sightline.caption import sureness


def tasks(rows: Iterable[dict], photos: Path) -> Iterator[dict]:
    """A task with a prediction for each row of `sightline caption --out` that has a caption.

    ``image`` is the address at which Label Studio serves local files if the parent of ``photos`` is its document root.
    ``file_name`` comes back in the export, and names the photo to `sightline train`. Sorted by the prediction's score,
    the captions that need a person most come first.
    """
    for row in rows:
        if row["error"]:
            continue
        name = Path(row["photo"]).resolve().relative_to(photos.resolve()).as_posix()
        caption = {"from_name": "caption", "to_name": "image", "type": "textarea", "value": {"text": [row["caption"]]}}
        score = round(sureness(row.get("confidence"), row["log_probs"], row.get("kind")), 4)
        yield {
            "data": {"image": f"/data/local-files/?d={quote(f'{photos.resolve().name}/{name}')}", "file_name": name},
            "predictions": [{"model_version": "sightline", "score": score, "result": [caption]}],
        }


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python label_studio_captions.py CAPTIONS.jsonl PHOTOS TASKS.json")
    captions, photos, out = map(Path, sys.argv[1:])
    try:
        with captions.open(encoding="utf-8") as lines:
            written = list(tasks(map(json.loads, lines), photos))
        out.write_text(json.dumps(written, indent=1), encoding="utf-8")
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {error}")
    print(f"{out}: {len(written)} tasks")
