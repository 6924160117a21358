"""The installed package as a stranger has it: run by `make wheel` in an environment that holds the wheel alone.

python tests/wheel.py WORK_FOLDER PHOTO...
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import sightline
from sightline.serve.page_files import page_files

work, photos = Path(sys.argv[1]), sys.argv[2:]
command = str(Path(sys.executable).parent / "sightline")


def run(*arguments: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, (arguments, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    return done


assert "site-packages" in str(sightline.__file__), sightline.__file__
for absent in ("torch", "lightning", "matplotlib", "onnx", "pydantic"):
    assert importlib.util.find_spec(absent) is None, absent

captions = [json.loads(line) for line in run("caption", "--json", *photos).stdout.splitlines()]
assert len(captions) == len(photos) > 0
assert all(len(caption["words"]) > 3 for caption in captions), captions
assert len({caption["caption"] for caption in captions}) > 1, captions

again = sightline.load()(photos[0])
assert again.words == tuple(captions[0]["words"]) or list(again.words) == captions[0]["words"]
assert abs(again.attention.sum((1, 2)) - 1).max() < 1e-4

run("explain", *photos[:2], "--out", str(work / "explained"))
run("explain", *photos[:2], "--out", str(work / "explained"), "--evidence")
assert (work / "explained" / "index.html").stat().st_size > 10_000
assert len([name for name in page_files("remote") if name.startswith("examples/")]) == 4
told = run("info").stdout
assert "CIDEr" in told and "research" in told, told
assert 'pip install "sightline[train]"' in run("train", "--data", "x", "--out", "y", "--recipe", "z", fails=True).stderr
print(f"the wheel captions {len(captions)} photos without torch")
