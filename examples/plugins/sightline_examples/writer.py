"""A writer: captions to where another program reads them.

sightline caption PHOTOS/ --plugin writer.py --write markdown

Here: photo.md beside each photo, a page that shows it with its caption as the alt text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sightline.images.source import ImageSource
from sightline.writers.writer import Writer, check_folder, path_of, register_writer, replace_file


@register_writer("markdown")
@dataclass
class MarkdownPages(Writer):
    """A page beside each photo. Fields are the options that it takes; ``existing`` comes from `Writer`."""

    takes = ("skip", "overwrite")  # of --existing

    def is_done(self, photo: ImageSource) -> bool:
        """Whether there is a page; asked before the photo is captioned, so that it is not captioned in vain."""
        path = _page(photo)
        if self.existing == "skip" and path.exists():
            return True
        check_folder(path)
        return False

    def write(self, photo: ImageSource, text: str, keywords: Sequence[str] = ()) -> bool:
        """Write the page, whole or not at all; False where it was there already. Some models tell keywords, too."""
        path = _page(photo)
        if self.existing == "skip" and path.exists():
            return False
        alt = text.replace("\\", "\\\\").replace("]", "\\]").replace("[", "\\[")
        tags = f"\n{', '.join(keywords)}\n" if keywords else ""
        replace_file(path, f"![{alt}]({quote(path_of(photo).name)})\n{tags}".encode())
        return True


def _page(photo: ImageSource) -> Path:
    own = path_of(photo)  # refuses photos that have no place of their own, such as those in a shard
    return own.with_name(own.name + ".md")
