"""Flickr8k and Flickr30k: Kaggle's copies, the authors' archives, and numbered captions such as Flickr8k-CN's."""

from __future__ import annotations

import re
from pathlib import Path

from sightline.annotations.caption_files import read_table, rows_of_token_lines
from sightline.annotations.match import base_of
from sightline.annotations.records import Collector, Records
from sightline.annotations.text import files_in, first_line, parse_token_line, read_lines
from sightline.data.layout import Progress, Source, complete, register_layout
from sightline.errors import SightlineError
from sightline.images.columns import COLUMNS_TOLD

# The authors' archive spells its folder "Flicker8k"; copies correct that, or unpack one folder into another.
_PHOTO_FOLDERS = (
    "Flickr8k_Dataset/Flicker8k_Dataset",
    "Flickr8k_Dataset/Flickr8k_Dataset",
    "Flicker8k_Dataset",
    "Flickr8k_Dataset",
)
_TEXT_FOLDERS = ("", "Flickr8k_text")
_NUMBERED = re.compile(r".*(caption|token|flickr|results).*\.txt", re.IGNORECASE)


@register_layout("kaggle", looks_for="Images/ and captions.txt", rank=0)
def read_kaggle(root: Path, progress: Progress) -> Source | None:
    """Read ``captions.txt`` (header ``image,caption``) and the split lists, ``*trainImages.txt`` and so on."""
    path = root / "captions.txt"
    folder = next((root / name for name in ("Images", "images") if (root / name).is_dir()), None)
    if folder is None or not path.is_file() or parse_token_line(first_line(path)):
        return None
    table = read_table(path)
    if table is None:
        problem = f"the first line must be 'image,caption'; it is {first_line(path)[:80]!r}"
        raise SightlineError(f"{path}: {problem}; {COLUMNS_TOLD}")
    records = Collector().add(path.name, table).records()
    return complete(folder, records, [path.name], lists_in=[root], whole=True)


@register_layout("flickr8k_original", looks_for="Flicker8k_Dataset/ and Flickr8k.token.txt", rank=0)
def read_original(root: Path, progress: Progress) -> Source | None:
    """Read the authors' two folders: ``Flickr8k.token.txt``, the split lists beside it, and the photos."""
    folder = next((root / name for name in _PHOTO_FOLDERS if (root / name).is_dir()), None)
    text = next((root / name for name in _TEXT_FOLDERS if (root / name / "Flickr8k.token.txt").is_file()), None)
    if folder is None or text is None:
        return None
    path = text / "Flickr8k.token.txt"
    return complete(folder, _read_token_file(path), [path.name], lists_in=[text, root], whole=True)


@register_layout(
    "token_file",
    looks_for="a .token file, as Flickr30k's results_20130124.token, or Flickr8k-CN's flickr8kzhc.caption.txt",
    rank=0,
)
def read_token_file(root: Path, progress: Progress) -> Source | None:
    """Read the folder's one file whose lines are ``name.jpg#0<tab>caption``, or ``name#zhc#0 caption``.

    It is in ``root``, else in a folder right below it; split lists or Karpathy's JSON beside it or in ``root``.
    """
    files = next(filter(None, (_numbered(root, pattern) for pattern in ("", "*/"))), [])
    if not files:
        return None
    if len(files) > 1:
        raise SightlineError(f"{root}: {' and '.join(files)} hold captions; keep one")
    path = root / files[0]
    return complete(root, _read_token_file(path), files, lists_in=[path.parent, root])


def _read_token_file(path: Path) -> Records:
    return Collector().add(path.name, rows_of_token_lines(read_lines(path))).records()


def _numbered(root: Path, pattern: str) -> list[str]:
    """The files of numbered captions; any .txt of such a name may be something else."""
    named = [file for file in files_in(root, pattern) if file.endswith(".token") or _NUMBERED.fullmatch(base_of(file))]
    files = [file for file in named if (root / file).is_file()]
    return [file for file in files if file.endswith(".token") or parse_token_line(first_line(root / file))]
