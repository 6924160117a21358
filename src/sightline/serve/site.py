"""A static site that captions photos in the visitor's browser: the page, the model, and ONNX Runtime for browsers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sightline.captioner import Captioner
from sightline.errors import SightlineError
from sightline.model_folder import CARD, CONFIG, ONNX, VOCABULARY, replacing_folder
from sightline.serve.page_files import fill_file, page_files

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# SHA-512 of the package's archive, as in npm's own lock files.
_INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")

_MODEL, _RUNTIME = "model", "runtime"
_WASM = f"{_RUNTIME}/ort-wasm-simd-threaded.wasm"
# Written last: the size of the large files, and the service worker, which lists the other files.
_LARGE, _OFFLINE = "site.js", "offline.js"


def write_site(folder: Path, model: Path) -> int:
    """Write the site into ``folder``, replacing an earlier site there once the new one is complete.

    Any server of static files can serve it; `docs/page.md` lists the headers that help.

    Args:
        folder: where to write; its parents are created.
        model: a model folder with its model.onnx, which is copied unchanged.

    Returns:
        the site's size in bytes.

    Raises:
        SightlineError: the model is unusable, ``folder`` holds anything but a site, or npm cannot fetch the runtime.
    """
    Captioner(model)  # an unusable model is reported here, not in a visitor's browser
    files = page_files("local")
    names = {name.partition("/")[0] for name in files} | {_MODEL, _RUNTIME, _LARGE} | _files_of_earlier_site(folder)
    with replacing_folder(folder, names, "site") as new:
        for name, content in files.items():
            (new / name).parent.mkdir(exist_ok=True)
            (new / name).write_bytes(content)
        copy_model(model, new / _MODEL)
        (new / _RUNTIME).mkdir()
        fetch_runtime(new / _RUNTIME)
        _write_lists(new)
        return sum(path.stat().st_size for path in new.rglob("*") if path.is_file())


def copy_model(model: Path, folder: Path) -> None:
    """Copy what a browser needs of a model folder, and the model's card, if it has one, into a new folder."""
    folder.mkdir()
    for name in (ONNX, CONFIG, VOCABULARY, CARD):
        if name != CARD or (model / CARD).is_file():
            shutil.copyfile(model / name, folder / name)


def fetch_runtime(folder: Path) -> None:
    """Write the files of ONNX Runtime for browsers into ``folder``, which must exist.

    npm caches the package: after the first time this needs no network.

    Raises:
        SightlineError: npm is missing, cannot fetch the package, or fetched an archive with another hash.
    """
    if not (npm := shutil.which("npm")):
        raise SightlineError(
            f"npm: not found; it fetches the runtime for browsers ({PACKAGE} {VERSION}): install Node.js"
        )
    with tempfile.TemporaryDirectory() as scratch:
        archive = _npm_pack(npm, Path(scratch))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != _INTEGRITY:
            raise SightlineError(f"npm: the archive of {PACKAGE} {VERSION} has another hash; check npm's registry")
        with tarfile.open(archive) as package:
            for name in RUNTIME_FILES:
                content = package.extractfile(f"package/dist/{name}")
                assert content is not None  # the archive's hash is known
                # Browsers and bundlers would look for the map, which stays in the archive.
                (folder / name).write_bytes(re.sub(rb"//# sourceMappingURL=\S+\s*\Z", b"", content.read()))
    notice = (Path(__file__).parent / "runtime_notice.txt").read_bytes()
    (folder / "NOTICE.txt").write_bytes(fill_file(notice, PACKAGE=PACKAGE, VERSION=VERSION))


def _npm_pack(npm: str, scratch: Path) -> Path:
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--prefer-offline", "--silent", "--pack-destination", str(scratch)]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SightlineError(f"npm: cannot fetch {PACKAGE} {VERSION} ({type(error).__name__}); try again") from None
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        # npm writes many lines, with hosts and log files; its error code is enough.
        code = re.search(r"\bE[A-Z0-9]{3,}\b", done.stderr)
        raise SightlineError(
            f"npm: cannot fetch {PACKAGE} {VERSION} ({code[0] if code else 'no reason given'});"
            " the first time, this needs a network"
        )
    return archives[0]


def _files_of_earlier_site(folder: Path) -> set[str]:
    """The page's files in a site that another version of sightline wrote."""
    if not (folder / _LARGE).is_file():
        return set()
    return {path.name for path in folder.iterdir() if path.suffix in {".html", ".css", ".js", ".svg"}}


def _write_lists(site: Path) -> None:
    """Write which files the page caches for use offline, under a cache name that changes with any of them."""
    paths = sorted(path for path in site.rglob("*") if path.is_file() and path.suffix not in {".md", ".txt"})
    names = [path.relative_to(site).as_posix() for path in paths]
    version = hashlib.sha256()
    for name, path in zip(names, paths, strict=True):
        version.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    cache = json.dumps(f"sightline {version.hexdigest()[:12]}")
    large = (_WASM, f"{_MODEL}/{ONNX}")
    size = sum((site / name).stat().st_size for name in large)
    (site / _LARGE).write_text(f"export const CACHE = {cache}, BYTES = {size};\n", encoding="utf-8")
    small = ["./", *(name for name in [*names, _LARGE] if name not in {*large, "index.html", _OFFLINE})]
    offline = (site / _OFFLINE).read_bytes()
    (site / _OFFLINE).write_bytes(fill_file(offline, CACHE=cache, FILES=json.dumps(small)))
