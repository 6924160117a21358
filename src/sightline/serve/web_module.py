"""A folder that web pages import the captioner from: an ES module with types, an element, the model, its runtime."""

from __future__ import annotations

import json
import re
from importlib import metadata
from pathlib import Path

from sightline._version import __version__
from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.model_folder import ONNX, replacing_folder
from sightline.serve.page_files import fill_file, folder_files, page_files
from sightline.serve.site import copy_model, fetch_runtime

NAME = "sightline-captions"  # as npm knows it
# What a page needs that lies beside the module. blob: is for photos that visitors choose, as the example shows them.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self' blob:;"
    " img-src 'self' blob:; style-src 'self'"
)
_MODEL, _LIBRARY, _RUNTIME = "model", "lib", "lib/runtime"
_WASM = f"{_RUNTIME}/ort-wasm-simd-threaded.wasm"
# The page's files that the module and its worker import, by which all others are found.
_IMPORTED = ("captioner.js", "limit.js", "stored.js", "worker.js")
_EXAMPLE = "examples/dog-on-grass.jpg"


def write_module(folder: Path, model: Path) -> int:
    """Write the module into ``folder``, replacing an earlier one there once the new one is complete.

    npm packs and installs the folder as it is, and any server of static files can serve it; `docs/web_module.md`
    describes its use.

    Args:
        folder: where to write; its parents are created.
        model: a model folder with its model.onnx, which is copied unchanged.

    Returns:
        the folder's size in bytes.

    Raises:
        SightlineError: the model is unusable, ``folder`` holds anything but a module, or npm cannot fetch the runtime.
    """
    Captioner(model)  # an unusable model is reported here, not in a visitor's browser
    files = module_files()
    names = {name.partition("/")[0] for name in files} | {_MODEL}
    with replacing_folder(folder, names, "module") as new:
        copy_model(model, new / _MODEL)
        (new / _RUNTIME).mkdir(parents=True)
        fetch_runtime(new / _RUNTIME)
        size = sum((new / name).stat().st_size for name in (_WASM, f"{_MODEL}/{ONNX}"))
        files["sightline.js"] = fill_file(files["sightline.js"], BYTES=str(size))
        for name, content in files.items():
            (new / name).write_bytes(content)
        return sum(path.stat().st_size for path in new.rglob("*") if path.is_file())


def module_files() -> dict[str, bytes]:
    """The module's files but for the model and the runtime: path relative to the folder -> content.

    ``__BYTES__`` in ``sightline.js`` stands for the size of these two.
    """
    page = page_files("local")
    files = folder_files(Path(__file__).parent / "module")
    parts = {"POLICY": POLICY, "VERSION": __version__, "NAME": NAME}
    for name in ("README.md", "example.html"):
        files[name] = fill_file(files[name], **parts)
    files |= {f"{_LIBRARY}/{name}": page[name] for name in _with_imports(page)}
    files["example.jpg"] = page[_EXAMPLE]
    files["LICENSE"] = _license().encode()
    files["package.json"] = (json.dumps(_package(), indent=2) + "\n").encode()
    return files


def _with_imports(page: dict[str, bytes]) -> list[str]:
    """`_IMPORTED` and the page's files that these import, directly or not."""
    found, open_ = set(), list(_IMPORTED)
    while open_:
        name = open_.pop()
        if name not in found and name in page:  # the runtime is none of the page's files
            found.add(name)
            open_ += re.findall(r'^import .*?from "\./(.+)";$', page[name].decode(), re.MULTILINE)
    return sorted(found)


def _package() -> dict[str, object]:
    return {
        "name": NAME,
        "version": _semantic(__version__),
        "description": "Captions photos in the browser, and tells where it looked for every word.",
        "keywords": ["image captioning", "alt text", "accessibility", "attention", "custom element", "onnx"],
        "license": "Apache-2.0 AND MIT",  # the runtime's is MIT
        "type": "module",
        "exports": {
            ".": {"types": "./sightline.d.ts", "default": "./sightline.js"},
            "./element": {"types": "./element.d.ts", "default": "./element.js"},
            "./lib/*": "./lib/*",
            "./model/*": "./model/*",
            "./package.json": "./package.json",
        },
        "types": "./sightline.d.ts",
        "files": ["*.js", "*.d.ts", "example.*", _LIBRARY, _MODEL],
        "sideEffects": ["./element.js", f"./{_LIBRARY}/worker.js"],
    }


def _semantic(version: str) -> str:
    """A Python version as npm wants it: ``0.2.0.dev1`` is ``0.2.0-dev1``."""
    release, rest = re.fullmatch(r"(\d+\.\d+\.\d+)\.?(.*)", version).groups()  # type: ignore[union-attr]
    return f"{release}-{rest}" if rest else release


def _license() -> str:
    try:
        text = metadata.distribution("sightline").read_text("licenses/LICENSE")
    except metadata.PackageNotFoundError:
        text = None
    if text is None:
        raise SightlineError("sightline's licence, which the module needs, is not installed: pip install sightline")
    return text
