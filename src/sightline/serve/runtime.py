"""ONNX Runtime for browsers, out of its npm package."""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from sightline.errors import SightlineError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
# Of the package's archive, as npm's own lock files have it.
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
NOTICE = f"{PACKAGE} {VERSION}\nCopyright (c) Microsoft Corporation. Licensed under the MIT License.\n"

_SECONDS = 600


def fetch_runtime(folder: Path) -> None:
    """Put the runtime's files into ``folder``, which is there.

    npm keeps what it fetched, so that another time needs no network.

    Raises:
        SightlineError: npm is missing, or cannot fetch the package, or gives another one than was tried.
    """
    if not (npm := shutil.which("npm")):
        raise SightlineError(f"npm: not found; a site's runtime ({PACKAGE} {VERSION}) comes with it: install Node.js")
    with tempfile.TemporaryDirectory() as scratch:
        archive = _pack(npm, Path(scratch))
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if digest != INTEGRITY:
            raise SightlineError(f"npm: its {PACKAGE} {VERSION} is not the one that was tried with this sightline")
        with tarfile.open(archive) as package:
            for name in FILES:
                content = package.extractfile(f"package/dist/{name}")
                assert content is not None  # the archive is the one that was tried
                (folder / name).write_bytes(content.read())
    (folder / "NOTICE.txt").write_text(NOTICE, encoding="utf-8")


def _pack(npm: str, scratch: Path) -> Path:
    command = [npm, "pack", f"{PACKAGE}@{VERSION}", "--prefer-offline", "--silent", "--pack-destination", str(scratch)]
    try:
        done = subprocess.run(command, cwd=scratch, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SightlineError(f"npm: cannot fetch {PACKAGE} {VERSION} ({type(error).__name__}); try again") from None
    archives = list(scratch.glob("*.tgz"))
    if done.returncode or not archives:
        # npm names hosts and log files; of its many lines the code alone tells a person anything.
        code = re.search(r"\bE[A-Z0-9]{3,}\b", done.stderr)
        raise SightlineError(
            f"npm: cannot fetch {PACKAGE} {VERSION} ({code[0] if code else 'no reason given'});"
            " the first time, a site needs a network"
        )
    return archives[0]
