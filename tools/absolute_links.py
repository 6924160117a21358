"""Make README's links absolute, as pages that show it elsewhere, such as PyPI's, need them.

    python tools/absolute_links.py OWNER/NAME COMMIT

writes README.md in place, its links leading to GitHub's repository OWNER/NAME at COMMIT. The workflow that builds the
packages runs it; in the repository links stay relative, so that they hold in every branch, fork and clone.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"
_LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!\w+:|#)([^)\s]+)\)")


def absolute(text: str, repository: str, commit: str) -> str:
    """The text with pictures that load from GitHub, and links that lead there."""

    def moved(link: re.Match[str]) -> str:
        picture, name, path = link.groups()
        if picture:
            return f"!{name}(https://raw.githubusercontent.com/{repository}/{commit}/{path})"
        return f"{name}(https://github.com/{repository}/blob/{commit}/{path})"

    return _LINK.sub(moved, text)


def main() -> None:
    _, repository, commit = sys.argv
    README.write_text(absolute(README.read_text(encoding="utf-8"), repository, commit), encoding="utf-8")


if __name__ == "__main__":
    main()
