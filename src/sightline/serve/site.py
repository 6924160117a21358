"""A static site that captions photos in the visitor's own browser: the page, the model, a runtime, no server."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from sightline.captioner import Captioner
from sightline.model_folder import CONFIG, ONNX, VOCABULARY, replacing_folder
from sightline.serve.page_files import page_files, replaced
from sightline.serve.runtime import fetch_runtime

MODEL, RUNTIME = "model", "runtime"
_WASM = f"{RUNTIME}/ort-wasm-simd-threaded.wasm"
# What else a page needs to know of the site; written last.
_LARGE, _OFFLINE = "site.js", "offline.js"


def write_site(folder: Path, model: Path) -> int:
    """Write the site into ``folder``, which appears, or takes its earlier site's place, only once it is complete.

    Any server of files will do; `docs/page.md` tells of headers.

    Args:
        folder: where; its parents are made if need be.
        model: a model folder with its model.onnx, which travels unchanged.

    Returns:
        the site's size in bytes.

    Raises:
        SightlineError: the model is unusable, ``folder`` holds something else, or the runtime cannot be had.
    """
    Captioner(model)  # raises what is wrong with the model here, where a person reads it, instead of in a browser
    files = page_files("local")
    ours = {name.partition("/")[0] for name in files} | {MODEL, RUNTIME, _LARGE} | _of_earlier_site(folder)
    with replacing_folder(folder, ours, "site") as new:
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
        (new / MODEL).mkdir()
        for name in (ONNX, CONFIG, VOCABULARY):
            shutil.copyfile(model / name, new / MODEL / name)
        (new / RUNTIME).mkdir()
        fetch_runtime(new / RUNTIME)
        _write_lists(new)
        return sum(path.stat().st_size for path in new.rglob("*") if path.is_file())


def _of_earlier_site(folder: Path) -> set[str]:
    """The page's files of a site that another sightline wrote."""
    if not (folder / _LARGE).is_file():
        return set()
    return {path.name for path in folder.iterdir() if path.suffix in {".html", ".css", ".js", ".svg"}}


def _write_lists(site: Path) -> None:
    """What the page keeps for use without a network, under a name that changes whenever any of it does."""
    found = sorted(path for path in site.rglob("*") if path.is_file() and path.suffix != ".txt")
    names = [path.relative_to(site).as_posix() for path in found]
    version = hashlib.sha256()
    for name, path in zip(names, found, strict=True):
        version.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    name = json.dumps(f"sightline {version.hexdigest()[:12]}")
    large = {name: (site / name).stat().st_size for name in (_WASM, f"{MODEL}/{ONNX}")}
    (site / _LARGE).write_text(
        f"export const CACHE = {name};\nexport const LARGE = {json.dumps(large)};\n", encoding="utf-8"
    )
    small = ["./", *(name for name in [*names, _LARGE] if name not in {*large, "index.html", _OFFLINE})]
    offline = (site / _OFFLINE).read_bytes()
    (site / _OFFLINE).write_bytes(replaced(offline, CACHE=name, FILES=json.dumps(small)))
