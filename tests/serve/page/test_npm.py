"""The module as npm, TypeScript and Vite see it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sightline._version import __version__
from sightline.serve.web_module import POLICY, _semantic
from tests.serve.page.conftest import contents, serving

PROJECT = {
    "package.json": '{"name": "guest", "private": true, "type": "module"}',
    "index.html": """<!doctype html><title>A guest</title><link rel="icon" href="photo.png">
<script type="module" src="/src/main.ts"></script>
<sightline-caption src="photo.png"></sightline-caption><output></output>
""",
    "tsconfig.json": """{"compilerOptions": {"strict": true, "target": "es2022", "module": "esnext", "noEmit": true,
"moduleResolution": "bundler", "lib": ["es2022", "dom", "dom.iterable"], "types": []}, "include": ["src"]}""",
    "src/main.ts": """import { load, type Caption, type Captioner } from "sightline-captions";
import { SightlineCaption } from "sightline-captions/element";

const stop = new AbortController();
const loading: Promise<Captioner> = load({ onProgress: ({ loaded, total }) => loaded / total, signal: stop.signal });
SightlineCaption.captioner = loading;
const element = document.querySelector("sightline-caption")!;
element.addEventListener("caption", async event => {
  const caption: Caption = event.detail, captioner = await loading;
  const again = await captioner.caption(element.image, { beamSize: 3, evidence: true });
  const rows: number[][] = again.attention[0]!, sure: number | undefined = caption.confidence;
  document.querySelector("output")!.textContent = `${again.words.join(" ")}, ${rows.length} rows, ${sure ?? ""}`;
});
// @ts-expect-error: what TypeScript is to refuse
loading.then(captioner => captioner.caption(42, { beam: 3 })).catch(() => {});
""",
}


def run(folder: Path, *command: str) -> str:
    npm = shutil.which(command[0])
    if npm is None:
        pytest.skip(f"needs {command[0]}")
    done = subprocess.run(
        [npm, *command[1:]], cwd=folder, capture_output=True, text=True, timeout=300, encoding="utf-8"
    )
    if "install" in command and (code := re.search(r"\b(E[A-Z0-9]{3,})\b", done.stderr)) and done.returncode:
        pytest.skip(f"needs npm's registry ({code[1]})")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(module, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("packed")
    run(module, "npm", "pack", "--silent", "--pack-destination", str(folder))
    (packed,) = folder.iterdir()
    return packed


def test_npm_packs_the_whole_folder(module, archive, tmp_path):
    assert archive.name == f"sightline-captions-{_semantic(__version__)}.tgz"
    shutil.unpack_archive(archive, tmp_path)  # our own; older Pythons have no filter
    assert contents(tmp_path / "package") == contents(module)
    package = json.loads((module / "package.json").read_text())
    targets = [
        path for entry in package["exports"].values() for path in (entry.values() if type(entry) is dict else [entry])
    ]
    assert all((module / path.replace("*", "")).exists() for path in [*targets, *package["sideEffects"]])
    assert (module / "LICENSE").read_text().lstrip().startswith("Apache License")


@pytest.mark.parametrize(
    ("version", "semantic"), [("0.1.0", "0.1.0"), ("1.2.3rc1", "1.2.3-rc1"), ("1.2.3.dev4", "1.2.3-dev4")]
)
def test_versions_are_written_as_npm_wants_them(version, semantic):
    assert _semantic(version) == semantic


def test_a_vite_project_imports_and_builds_it(archive, browser, photos, captioner, tmp_path):
    for name, content in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "public").mkdir()
    shutil.copyfile(photos[0], tmp_path / "public/photo.png")
    run(
        tmp_path,
        "npm",
        "install",
        "--prefer-offline",
        "--no-audit",
        "--no-fund",
        "vite@8",
        "typescript@7",
        str(archive),
    )
    run(tmp_path, "npx", "tsc", "--noEmit")
    run(tmp_path, "npx", "vite", "build")
    with serving(contents(tmp_path / "dist"), Content_Security_Policy=POLICY) as address:
        context = browser.new_context()
        page = context.new_page()
        page.goto(address)
        caption = captioner(photos[0])
        expected = f"{' '.join(caption.words)}, {caption.attention.shape[1]} rows, "
        page.locator("output").filter(has_text=expected).wait_for(timeout=15_000)
        context.close()
