"""`sightline alt`: 2,000 pages with 10,000 images timed twice, and what captions are right above a confidence.

    python benchmarks/alt_texts.py FLICKR8K

Pages are HTML, Markdown, MDX and reStructuredText, with images that get a text and images that do not; what differs
between the pages before and after must be what was inserted. "Said by a person": the share of a caption's words, but
for the most usual ones, that one of the photo's five references has.
"""

from __future__ import annotations

import csv
import itertools
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

import sightline

USUAL = set(re.split(" ", "a an the in on of and with is are at to by his her their it its up through over from for"))
BANDS = (0, 0.5, 0.55, 0.6, 0.65, 0.7, 1)
BANDS_LEARNED = (0, 0.25, 0.5, 0.75, 1)  # of a model that has learned its confidence
TEMPLATES = {
    "html": ("<p>{{{{ x }}}} &eacute;</p>\r\n<img src='/img/{0}.jpg'>\r\n", '<img src="/img/{0}.jpg" alt="">\n'),
    "md": ("Words *and* `![](x.jpg)`\n\n![](/img/{0}.jpg 'title')\n\n", "![a text](/img/{0}.jpg)\n\n"),
    "mdx": ("export const x = 1\n\n<img src='/img/{0}.jpg' />\n\n", "[![](/img/{0}.jpg)](x.mdx)\n\n"),
    "rst": (
        ".. figure:: /img/{0}.jpg\n   :width: 90%\n\n   Words.\n\n",
        ".. image:: /img/{0}.jpg\n   :alt: a text\n\n",
    ),
}
INSERTED = re.compile(rb""" alt=(['"])[a-z' ]*?\1|(?<=!\[)[a-z' ]+(?=\]\()|\n   :alt: [a-z' ]+(?=\n   :width)""")


def main() -> None:
    data = Path(sys.argv[1])
    names = data.joinpath("Flickr_8k.devImages.txt").read_text().split()
    photos = [data / "Images" / name for name in names]
    confidence(data, photos)
    with tempfile.TemporaryDirectory() as folder:
        pages(Path(folder), photos)


def confidence(data: Path, photos: list[Path]) -> None:
    references = defaultdict(set)
    with (data / "captions.txt").open() as file:
        for row in csv.DictReader(file):
            references[row["image"]].update(re.findall(r"[a-z]+", row["caption"].lower()))
    sure, said, bands = [], [], BANDS
    for photo, caption in zip(photos, sightline.load().stream(photos), strict=True):
        words = [word for word in caption.words if word not in USUAL]
        bands = BANDS if caption.confidence is None else BANDS_LEARNED
        sure.append(caption.sureness())
        said.append(np.mean([word in references[photo.name] for word in words]) if words else 0)
    sure, said = np.array(sure), np.array(said)
    for low, high in itertools.pairwise(bands):
        band = (sure >= low) & (sure < high)
        above = sure >= low
        print(
            f"{low:4} to {high:4}: {band.sum():4} photos, {said[band].mean():.0%} said by a person;"
            f" from {low} on {above.mean():.0%} of the photos, {said[above].mean():.0%}"
        )


def pages(site: Path, photos: list[Path]) -> None:
    (site / "before" / "img").mkdir(parents=True)
    for number, photo in enumerate(photos):
        shutil.copy(photo, site / "before" / "img" / f"{number}.jpg")
    chosen = random.Random(0)
    for number in range(2000):
        suffix = list(TEMPLATES)[number % 4]
        (site / "before" / f"{number}.{suffix}").write_text(
            "".join(chosen.choice(TEMPLATES[suffix]).format(chosen.randrange(len(photos))) for _ in range(5)),
            newline="",
        )
    shutil.copytree(site / "before", site / "after")
    environment = {**os.environ, "XDG_CACHE_HOME": str(site / "cache")}
    for options in ((), (), ("--apply",)):
        began = time.monotonic()
        command = [sys.executable, "-m", "sightline", "alt", str(site / "after"), *options]
        out = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
        print(f"{' '.join(options) or 'dry run'}: {time.monotonic() - began:.1f} s; {out.splitlines()[-1]}")
    changed = 0
    for before in sorted((site / "before").glob("*.*")):
        old, new = before.read_bytes(), (site / "after" / before.name).read_bytes()
        changed += old != new
        kept = INSERTED.sub(lambda found, old=old: found[0] if found[0] in old else b"", new)
        assert kept == old, before
    print(f"{changed:,} pages changed, all in what was inserted alone")


if __name__ == "__main__":
    main()
