"""Files of the repository that the documentation links to, as pages: the site is whole without any other host."""

from __future__ import annotations

import json
from pathlib import Path

from tools.docs_site.pages import ROOT

_LANGUAGES = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml"}
_HEAD = "---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n"


def source_page(path: str) -> str:
    """The Markdown of a file's or a folder's page.

    Raises:
        FileNotFoundError: there is none at ``path``: the link to it is broken.
    """
    file = ROOT / path
    if file.is_dir():
        return _page(path, "\n".join(f"- `{inner.name}`" for inner in sorted(file.iterdir()) if inner.name[0] != "_"))
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        return _page(path, _notebook(text))
    return _page(path, _fenced(text, _LANGUAGES.get(Path(path).suffix, "text")))


def _page(path: str, body: str) -> str:
    return f"{_HEAD}# {Path(path).name}\n\n`{path}`\n\n{body}\n"


def _fenced(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````"


def _notebook(text: str) -> str:
    cells = ((cell["cell_type"], "".join(cell["source"])) for cell in json.loads(text)["cells"])
    return "\n\n".join(_fenced(source, "python") if kind == "code" else _lower(source) for kind, source in cells)


def _lower(markdown: str) -> str:
    """Text of a notebook, below the title of its page."""
    return "\n".join(f"#{line}" if line.startswith("#") else line for line in markdown.split("\n"))
