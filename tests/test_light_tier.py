"""What the light tier promises: no torch, and nothing heavy before it is needed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest


def packages_beside_the_light_tier() -> set[str]:
    """All that is installed but sightline, the light tier's dependencies and what these need."""
    waiting, found = ["numpy", "pillow", "pillow-heif", "onnxruntime", "click"], set()
    while waiting:
        if (name := waiting.pop()) not in found:
            found.add(name)
            with contextlib.suppress(metadata.PackageNotFoundError):
                needed = [line for line in metadata.requires(name) or () if "extra ==" not in line]
                waiting += [re.split(r"[^\w.-]", line)[0].lower().replace("_", "-") for line in needed]
    packages = metadata.packages_distributions()
    names = {top: {owner.lower().replace("_", "-") for owner in owners} for top, owners in packages.items()}
    return {top for top, owners in names.items() if not owners & {"sightline", *found}}


BLOCKER = f"""
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top in {packages_beside_the_light_tier()!r}:
            raise ModuleNotFoundError(f"No module named {{top!r}} (blocked)", name=top)
sys.meta_path.insert(0, Blocker())
"""

HELP = "from sightline.cli.main import main\ntry: main()\nexcept SystemExit: pass"


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def loaded_by(code: str) -> set[str]:
    done = python(f"import json, sys\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))")
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def without_torch(*arguments: object) -> subprocess.CompletedProcess[str]:
    return python(f"{BLOCKER}\nfrom sightline.cli.main import main\nmain()", *arguments)


@pytest.mark.parametrize(
    "code",
    [
        "import sightline; sightline.load, sightline.Captioner, sightline.Caption",
        "import sightline.cli.main",
        f"sys.argv = ['sightline', '--help']\n{HELP}",
        f"sys.argv = ['sightline', 'export', '--help']\n{HELP}",
    ],
)
def test_torch_and_the_runtime_are_loaded_only_when_needed(code):
    heavy = {"torch", "torchvision", "lightning", "onnx", "onnxruntime", "onnxscript", "matplotlib", "safetensors"}
    assert not heavy & loaded_by(code)


def test_captioning_loads_the_runtime_and_no_torch(tiny_bundle: Path, photos: list[Path]):
    modules = loaded_by(f"import sightline\nprint(sightline.load({str(tiny_bundle)!r})({str(photos[0])!r}))")
    assert "onnxruntime" in modules
    assert not {"torch", "onnx", "safetensors", "rich"} & modules


def test_a_photo_is_captioned_where_torch_cannot_be_imported(sightline, tiny_bundle, photos):
    assert python(f"{BLOCKER}\nimport torch").returncode == 1
    done = without_torch("caption", *photos, "--json", "--model", tiny_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == sightline("caption", *photos, "--json", "--model", tiny_bundle).out
    assert len(done.stdout.splitlines()) == len(photos)


@pytest.mark.slow
def test_rows_are_written_where_neither_pyarrow_nor_an_engine_can_be_imported(tiny_bundle, photos, tmp_path):
    for name in ("captions.jsonl", "captions.csv"):
        done = without_torch("caption", *photos, "--out", tmp_path / name, "--model", tiny_bundle)
        assert (done.returncode, done.stdout) == (0, f"{tmp_path / name}: {len(photos)} photos\n")
    code = (
        f"import sightline.bulk\nsightline.bulk.CaptionBatches({str(tiny_bundle)!r})({{'photo': [{str(photos[0])!r}]}})"
    )
    assert python(f"{BLOCKER}\n{code}").returncode == 0
    assert not {"ray", "pyarrow", "pandas", "fsspec", "torch"} & loaded_by(code)
    done = without_torch("caption", *photos, "--engine", "ray", "--out", tmp_path / "r", "--model", tiny_bundle)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sightline: Ray is not installed (no ")
    assert done.stderr.endswith('): pip install "sightline[ray]"\n')


def test_info_works_without_torch(tiny_bundle):
    done = without_torch("info", "--model", tiny_bundle)
    assert (done.returncode, done.stderr) == (0, "")
    assert "small_cnn" in done.stdout


def test_the_package_gives_all_but_training_without_torch():
    code = "from sightline import *\nprint(score, evaluate, compare, read_dataset)\nimport sightline\nsightline.train"
    done = python(f"{BLOCKER}\n{code}")
    assert done.stdout.count("<function ") == 4
    assert 'pip install "sightline[train]"' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("module", ["training.recipe", "training.train", "export.export"])
def test_modules_of_the_training_tier_say_how_to_get_it(module):
    done = python(f"{BLOCKER}\nimport sightline.{module}")
    said = done.stderr.splitlines()[-1]
    assert "SightlineError" in said and 'pip install "sightline[train]"' in said and "yaml" in said


@pytest.mark.parametrize(
    "verb",
    [
        ("export", "run", "--out", "bundle"),
        ("ensemble", "a", "b", "--out", "c"),
        ("train", "--data", "d", "--out", "o"),
    ],
)
def test_verbs_of_the_training_tier_say_how_to_get_it(verb):
    done = without_torch(*verb)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(
        'sightline: this verb needs the training tier: pip install "sightline[train]" (no torch,'
    )
    assert len(done.stderr.splitlines()) == 1


CAPTION = "import sys, sightline\nprint(sightline.load(sys.argv[1])(sys.argv[2]))"


def caption_at(home: Path, *arguments: object, before: str = "", command: tuple[str, ...] = (), **chosen: str):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH")}
    environment = {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", **chosen}
    whole = [*command, sys.executable, "-c", before + CAPTION, *map(str, arguments)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=120, env=environment)


@pytest.mark.parametrize("before", ["", "import sightline, onnxruntime\n"])
def test_captioning_writes_no_file_at_home(tiny_bundle, photos, tmp_path, before):
    done = caption_at(tmp_path, tiny_bundle, photos[0], before=before, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.rglob("*")) == []


def test_captioning_is_silent_without_a_home(tiny_bundle, photos):
    done = caption_at(Path("/proc/no/home"), tiny_bundle, photos[0])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("strace"), reason="strace shows what is called, and is not installed")
def test_captioning_calls_nobody_and_writes_nowhere(tiny_bundle, photos, tmp_path):
    (tmp_path / "home").mkdir()
    tracing = ("strace", "-f", "-qq", "-o", str(tmp_path / "calls"), "-e", "trace=connect,sendto,openat,mkdir,mkdirat")
    done = caption_at(tmp_path / "home", tiny_bundle, photos[0], command=tracing)
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip("strace may not trace here")
    assert (done.returncode, done.stderr) == (0, "")
    calls = (tmp_path / "calls").read_text().splitlines()
    assert any("model.onnx" in call for call in calls)
    assert not [call for call in calls if re.search(r"connect\(|sendto\(|mkdir|resolv\.conf|/etc/hosts", call)]
    assert not [call for call in calls if re.search(r"O_WRONLY|O_RDWR|O_CREAT", call) and "/dev/" not in call]


@pytest.mark.parametrize("choice", ["0", "1", ""])
def test_who_has_decided_about_telemetry_has_the_say(choice):
    code = "import sightline, os\nprint(os.environ['ORT_DISABLE_TELEMETRY'])"
    environment = {**os.environ, "ORT_DISABLE_TELEMETRY": choice}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == (f"{choice}\n", "")
