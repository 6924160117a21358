"""What it costs and gives that a sentence says a thing once: scores with and without, and how often people repeat.

    python benchmarks/repeats.py --data DIR [--data DIR] [--model BUNDLE] [--split val] [--out FILE.json]

Beam 3. Counted are the captions in which a pair of words stands twice, a content word (any but those of
`FUNCTION_WORDS`), or one of the model's nouns; of people, all their captions.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Collection, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import sightline
from sightline.caption import Caption
from sightline.data.dataset import read_dataset
from sightline.vocabulary import split_words

FUNCTION_WORDS = frozenset(
    {
        *("a", "an", "the", "this", "that", "these", "those", "some", "another", "other", "each", "several", "many"),
        *("one", "two", "three", "four", "next", "near", "in", "on", "at", "of", "off", "with", "and", "or", "to"),
        *("by", "from", "up", "down", "for", "as", "into", "onto", "over", "under", "through", "across", "around"),
        *(
            "behind",
            "beside",
            "between",
            "while",
            "is",
            "are",
            "was",
            "be",
            "being",
            "been",
            "has",
            "have",
            "it",
            "its",
        ),
        *("he", "she", "they", "his", "her", "their", "who", "which", "there", "where", "out"),
    }
)


def shares(captions: Sequence[Sequence[str]], nouns: Collection[str]) -> dict[str, float]:
    """The shares, in percent, of captions that repeat something."""
    things = {
        "pair of words": [list(pairwise(words)) for words in captions],
        "content word": [[word for word in words if word not in FUNCTION_WORDS] for words in captions],
        "noun": [[word for word in words if word in nouns] for words in captions],
    }
    return {
        name: round(100 * sum(len(set(each)) < len(each) for each in all_of) / len(captions), 1)
        for name, all_of in things.items()
    }


def measure(captioner: sightline.Captioner, data: Path, split: str) -> dict[str, Any]:
    examples = read_dataset(data).split(split)
    references = [list(example.captions) for example in examples]
    nouns = captioner.config.known_nouns
    people = [split_words(caption) for captions in references for caption in captions]
    results: dict[str, Any] = {"photos": len(examples), "people": shares(people, nouns)}
    for name, allowed in (("repeats allowed", True), ("says a thing once", False)):
        found = captioner.stream([example.photo for example in examples], allow_repeats=allowed)
        captions = [each for each in found if isinstance(each, Caption)]
        scores = sightline.score([each.text for each in captions], references, ["CIDEr", "BLEU-4"]).as_dict()
        results[name] = {
            "scores": scores["scores"],
            **shares([each.words for each in captions], nouns),
            "unfinished": sum(len(each.words) >= captioner.config.max_words for each in captions),
            "vocabulary": len({word for each in captions for word in each.words}),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    captioner = sightline.load(options.model)
    results = {data.name: measure(captioner, data, options.split) for data in options.data}
    text = json.dumps({"precision": captioner.precision, **results}, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
