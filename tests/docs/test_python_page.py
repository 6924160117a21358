"""The examples of docs/python.md do what they show, in order."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
from tools.docs_site.blocks import Block, parts

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"


@pytest.mark.slow
def test_the_examples_of_the_page_run(monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("torch", reason="needs the training tier")
    monkeypatch.chdir(ROOT)  # where recipes/ is
    blocks = [part for part in parts(PAGE.read_text(encoding="utf-8")) if isinstance(part, Block)]
    examples = "\n".join(line for block in blocks if block.language == "pycon" for line in [*block.lines, ""])
    page = doctest.DocTestParser().get_doctest(examples, {}, PAGE.name, None, None)
    results = doctest.DocTestRunner().run(page)
    assert results.attempted > 30 and not results.failed
