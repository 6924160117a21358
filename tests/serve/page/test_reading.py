"""What the static site's page makes of ids is what Python makes of them."""

from __future__ import annotations

import json
import random
import shutil
import subprocess

import pytest

from sightline.serve.page_files import page_files
from sightline.vocabulary import SPECIAL_TOKENS, Vocabulary

UNITS = ("▁", "▁a", "a", "'s", "一只", "狗", "t恤", "▁狗", "สุนัข", "กี่", "पा", "▁पा", "𠀀", "ー")
WORDS = ("a", "dog", "'s", "हँस", "一只狗")
SCRIPT = """
import {read, byWord} from "./reading.mjs";
import {readFileSync} from "node:fs";
const told = [];
for (const [ids, vocabulary] of JSON.parse(readFileSync(0, "utf8"))) {
  const found = read(ids, vocabulary);
  told.push([found.text, found.words, found.starts, found.units, byWord(ids, found)]);
}
console.log(JSON.stringify(told));
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_the_page_reads_ids_as_python_does(tmp_path):
    vocabularies = [Vocabulary((*SPECIAL_TOKENS, *WORDS)), Vocabulary((*SPECIAL_TOKENS, *UNITS), "subwords")]
    asked, expected = [], []
    draw = random.Random(0)
    for vocabulary in vocabularies:
        vocabulary.save(tmp_path / "v.json")
        content = json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))
        for length in range(300):
            ids = [
                draw.choice([*range(4, len(vocabulary)), 2 if draw.random() < 0.2 else 4]) for _ in range(length % 9)
            ]
            read = vocabulary.read(ids)
            stops = [*read.starts, read.units][1:]
            sums = [sum(ids[start:stop]) for start, stop in zip(read.starts, stops, strict=True)]
            asked.append([ids, content])
            expected.append([*map(list, [read.words, read.starts]), read.text, read.units, sums])
    (tmp_path / "reading.mjs").write_bytes(page_files("local")["reading.js"])
    (tmp_path / "run.mjs").write_text(SCRIPT)
    run = subprocess.run(
        ["node", "run.mjs"], input=json.dumps(asked), cwd=tmp_path, capture_output=True, text=True, encoding="utf-8"
    )
    assert run.returncode == 0, run.stderr
    found = [[words, starts, text, units, sums] for text, words, starts, units, sums in json.loads(run.stdout)]
    assert found == expected
