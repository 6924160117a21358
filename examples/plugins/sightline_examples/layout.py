"""A dataset's layout: a folder -> which photos it has, and what people wrote about them.

sightline data check FOLDER --plugin layout.py

Here: a file captions.psv with lines such as `train | a.jpg | A dog runs.`, beside a folder of the photos.
"""

from pathlib import Path

from sightline.annotations.records import Records
from sightline.data.layout import Progress, Source, complete, register_layout

FILE = "captions.psv"


# Rank 2: a file of a certain name; `register_layout` says which others there are.
@register_layout("pipes", looks_for=f"{FILE}, lines of split | photo | caption", rank=2)
def read(root: Path, progress: Progress) -> Source | None:
    """Read ``root``, or return None where it is not of this layout. Photos are not opened here."""
    path = root / FILE
    if not path.is_file():
        return None
    captions: dict[str, tuple[str, ...]] = {}
    splits: dict[str, list[str]] = {}
    unread = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        split, *rest = (part.strip() for part in line.split("|", 2))
        if len(rest) != 2:
            unread.append(f"{FILE} line {number}")
            continue
        name, caption = rest
        if name not in captions and split:
            splits.setdefault(split, []).append(name)
        captions[name] = (*captions.get(name, ()), *([caption] if caption else []))
    named = {split: tuple(names) for split, names in splits.items()} or None
    # Finds the photos, wherever in the folder they lie.
    return complete(root, Records(captions, named, tuple(unread)), [FILE], whole=True)
