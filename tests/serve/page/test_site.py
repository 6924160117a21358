"""The static site as a whole: what is written, what is kept, and what works without a network."""

from __future__ import annotations

import io
import json
import re
import stat
from pathlib import Path

import pytest
from PIL import Image

from sightline.serve.page_files import media_type, page_files
from sightline.serve.site import RUNTIME_FILES
from tests.serve.page.conftest import Visit, contents, serving


@pytest.fixture
def no_download(monkeypatch):
    """Stands in for npm."""

    def fetch(folder: Path) -> None:
        for name in RUNTIME_FILES:
            (folder / name).write_bytes(b"runtime")

    monkeypatch.setattr("sightline.serve.site.fetch_runtime", fetch)


def files_of(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_after_the_first_visit_it_works_without_a_network(browser, site_address, photos, captioner):
    visit = Visit(browser, site_address)
    visit.add(photos[0])
    large = [url for url in visit.requested if url.endswith((".wasm", ".onnx"))]
    assert len(large) == len(set(large)) == 2
    visit.page.evaluate("navigator.serviceWorker.ready.then(() => null)")
    visit.context.set_offline(True)
    for address in (site_address, f"{site_address}index.html?from=elsewhere"):
        visit.page.goto(address)
        card = visit.add(photos[1]).first
        assert card.locator("h2").text_content() == captioner(photos[1]).text
    visit.page.get_by_role("button", name="dog on grass").click()
    visit.cards(2)
    visit.context.close()
    assert visit.problems == []


def test_the_page_says_offline_only_where_the_browser_kept_all(browser, site_address):
    for quota, said in ((None, "offline"), (100_000, "did not keep")):
        context = browser.new_context()
        page = context.new_page()
        if quota:
            order = {"origin": site_address.rstrip("/"), "quotaSize": quota}
            context.new_cdp_session(page).send("Storage.overrideQuotaForOrigin", order)
        page.goto(site_address)
        page.locator("#promise").filter(has_text=said).wait_for(timeout=15_000)
        context.close()


def test_a_model_of_another_vocabulary_or_of_other_heads_is_refused_as_in_python(browser, site, heads_bundle):
    files = contents(site)
    words = json.loads(files["model/vocabulary.json"])
    swapped = json.dumps([*words[:-2], words[-1], words[-2]]).encode()
    other_heads = {"model/config.json": (heads_bundle / "config.json").read_bytes()}
    for other, named in (({"model/vocabulary.json": swapped}, "(vocabulary)"), (other_heads, "(heads)")):
        with serving(files | other) as address:
            context = browser.new_context()
            page = context.new_page()
            page.goto(address)
            assert named in page.locator("#loading.failed").text_content(timeout=15_000)
            context.close()


def test_the_model_travels_unchanged_and_the_lists_name_what_is_there(site, tiny_bundle):
    for name in ("model.onnx", "config.json", "vocabulary.json"):
        assert (site / "model" / name).read_bytes() == (tiny_bundle / name).read_bytes()
    large = {"model/model.onnx", "runtime/ort-wasm-simd-threaded.wasm"}
    size = int(re.search(r"BYTES = (.*);", (site / "site.js").read_text())[1])
    assert size == sum((site / name).stat().st_size for name in large)
    small = json.loads(re.search(r"FILES = (.*);", (site / "offline.js").read_text())[1])
    assert {*small, *large} - {"./"} == files_of(site) - {"index.html", "offline.js", "runtime/NOTICE.txt"}
    assert not [
        name for name in files_of(site) if "__" in (site / name).read_text("latin-1") and name.endswith(".html")
    ]


def test_no_page_holds_script_or_style_that_a_strict_server_would_refuse():
    for backend in ("remote", "local"):
        html = page_files(backend)["index.html"].decode()
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=|https?://", html)


def test_the_example_pictures_come_with_the_page():
    files = page_files("remote")
    offered = json.loads(re.search(r"EXAMPLES = (.*);", files["examples.js"].decode())[1])
    assert [f"examples/{name}" for name in offered] == sorted(
        (name for name in files if name.startswith("examples/")), key=lambda name: offered.index(name[9:])
    )
    for name in offered:
        with Image.open(io.BytesIO(files[f"examples/{name}"])) as picture:
            assert (picture.format, picture.size) == ("JPEG", (640, 480))
    assert media_type(offered[0]) == "image/jpeg"


def test_a_second_run_replaces_its_own_and_nothing_else(sightline, tiny_bundle, tmp_path, no_download):
    out = tmp_path / "new" / "site"
    assert sightline("site", "--out", out, "--model", tiny_bundle).status == 0
    version = (out / "site.js").read_text()
    (out / "removed_since.js").write_text("// an older page's")
    (out / "index.html").write_text("older")
    done = sightline("site", "--out", out, "--model", tiny_bundle)
    assert (done.status, done.err) == (0, "")
    assert str(out) in done.out
    assert (out / "site.js").read_text() == version
    assert not (out / "removed_since.js").exists()
    assert stat.S_IMODE(out.stat().st_mode) & 0o055 == 0o055
    (out / "mine.txt").write_text("a person's")
    done = sightline("site", "--out", out, "--model", tiny_bundle)
    assert (done.status, done.out) == (1, "")
    assert "mine.txt" in done.err
    assert [path.name for path in out.parent.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "npm: not found"),
        ("echo npm error code ENOTFOUND >&2; echo npm error at https://host.example >&2; exit 1", "(ENOTFOUND)"),
        ("exit 1", "(no reason given)"),
        ("echo spam > onnxruntime-web-1.30.0.tgz", "another hash"),
    ],
)
def test_without_npm_or_a_network_one_line_says_so(sightline, tiny_bundle, tmp_path, monkeypatch, script, said):
    tools = tmp_path / "tools"
    tools.mkdir()
    if script:
        (tools / "npm").write_text(f"#!/bin/sh\n{script}\n")
        (tools / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    done = sightline("site", "--out", tmp_path / "site", "--model", tiny_bundle)
    assert (done.status, done.out) == (1, "")
    assert said in done.err and len(done.err.splitlines()) == 1
    assert "example" not in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["tools"]


def test_a_folder_that_is_no_model_is_refused_before_anything_is_fetched(sightline, tmp_path):
    done = sightline("site", "--out", tmp_path / "site", "--model", tmp_path)
    assert done.status == 1 and "no model folder" in done.err
