"""The code that docs/how_it_works.md shows beside the equations, copied from the package without its docstrings.

    python tools/docs_code.py --write    bring it up to date
    python tools/docs_code.py            check it; status 1 if it differs

Below a line `<!-- code: src/sightline/nn/attention.py energies -->` stands that function; of a class, `Class.method`.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "how_it_works.md"
_SHOWN = re.compile(r"(<!-- code: (\S+) (\S+) -->\n```python\n)(.*?)(```)", re.DOTALL)


def page(text: str) -> str:
    """The page with every function as it is in the package.

    Raises:
        KeyError: there is no function of that name.
    """
    return _SHOWN.sub(lambda shown: f"{shown[1]}{_function(shown[2], shown[3])}\n{shown[5]}", text)


def _function(path: str, name: str) -> str:
    source = (ROOT / path).read_text(encoding="utf-8")
    scope: list[ast.stmt] = ast.parse(source).body
    for part in name.split("."):
        named = {node.name: node for node in scope if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        scope = named[part].body
    docstring = scope[0]
    lines = source.split("\n")
    kept = lines[named[part].lineno - 1 : docstring.lineno - 1] + lines[docstring.end_lineno : named[part].end_lineno]
    return textwrap.dedent("\n".join(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    text = PAGE.read_text(encoding="utf-8")
    if write:
        PAGE.write_text(page(text), encoding="utf-8")
    elif page(text) != text:
        sys.exit(f"{PAGE.relative_to(ROOT)} shows code that has changed; run tools/docs_code.py --write")


if __name__ == "__main__":
    main()
