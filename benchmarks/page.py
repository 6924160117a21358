"""The static page and the module in Chromium: what they weigh, how long captions take, how often words are Python's.

    python benchmarks/page.py --photos DIR [--photos DIR] [--model RUN] [--module] [--out FILE.json]

The site is written by `sightline site` and served from this machine, so that no time includes a network. Times are
taken in the page: the first caption's from the navigation to the caption on the page, in a browser that never saw the
site; a later one's from the photo's arrival. Both sides caption the same files, Python's through `Captioner` on one
thread. Photos are also laid before both sides in other sizes, scaled up, sharpened and grained: JPEGs of quality 90.
The module (`sightline site --module`) captions the first folder's photos in a bare page, each in turn with the page.
Needs playwright, a Chromium, npm.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gzip
import http.server
import io
import json
import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from PIL import Image, ImageFilter
from playwright.sync_api import Browser, Page, sync_playwright

from sightline.captioner import Captioner, model_folder
from sightline.serve.site import PACKAGE, VERSION, write_site
from sightline.serve.web_module import write_module
from sightline.sessions import available_cores

Files: TypeAlias = dict[str, bytes]  # what the site's server holds beside the site

SIZES = [(640, 480), (480, 640), (1024, 683), (1920, 1080), (4032, 3024)]
PLAIN = {"beam_size": 3, "length_penalty": 1, "evidence": False}
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]

# The photo lies at `name` on the site's server; the page's own worker captions it.
CAPTION = """async ([name, options]) => {
  const {caption} = await import("./local.js");
  const file = new File([await (await fetch(name)).blob()], "photo");
  const start = performance.now(), {words} = await caption(file, options);
  return [words, performance.now() - start];
}"""
# A page that uses the module: when its first caption was there, and what captions later ones.
MODULE_PAGE = b"""<!doctype html><title>module</title><script type="module">
import {load} from "./sightline.js";
globalThis.captioner = await load();
await captioner.caption(await (await fetch("photo")).blob());
globalThis.took = performance.now();
</script>"""
MODULE_CAPTION = """async name => {
  const file = await (await fetch(name)).blob(), start = performance.now(), {words} = await captioner.caption(file);
  return [words, performance.now() - start];
}"""
FIRST = """() => new Promise(resolve => {
  const shown = () => document.querySelector("article:not(.waiting) .word");
  const watch = new MutationObserver(() => shown() && (watch.disconnect(), resolve(performance.now())));
  watch.observe(document, {subtree: true, childList: true, attributes: true});
  if (shown()) resolve(performance.now());
})"""


def main() -> None:
    options = parse()
    model = model_folder(options.model)
    photos = {str(folder.name if folder.name != "Images" else folder.parent.name): folder for folder in options.photos}
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        write_site(site, model)
        with serving(site) as (address, files), sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
            results: dict[str, Any] = {"conditions": conditions(browser, model), "MB": sizes(site)}
            chosen = {name: sample(folder, options.count) for name, folder in photos.items()}
            one = next(iter(chosen.values()))[0]
            results["first caption, s"] = [first(browser, address, one, offline=False) for _ in range(options.turns)]
            results["first caption of a later visit, offline, s"] = first(browser, address, one, offline=True)
            page = browser.new_page()
            page.goto(address)
            files["photo"] = one.read_bytes()
            page.evaluate(CAPTION, ["photo", PLAIN])  # waits for the model
            if not options.module:
                results["photos"] = compared(page, files, Captioner(model), chosen)
            results["module"] = module(browser, page, files, model, next(iter(chosen.values())), options.turns)
            browser.close()
    text = json.dumps(results, indent=2)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, action="append", required=True, help="a folder of JPEGs; repeatable")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--count", type=int, default=200, help="photos of each folder, evenly apart")
    parser.add_argument("--turns", type=int, default=5, help="first visits")
    parser.add_argument("--module", action="store_true", help="the module alone, and the page's times beside it")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


def conditions(browser: Browser, model: Path) -> dict[str, Any]:
    return {
        "cores": available_cores(),
        "load": round(os.getloadavg()[0], 1),
        "machine": platform.machine(),
        "chromium": browser.version,
        PACKAGE: VERSION,
        "threads in the page": 1,
        **{name: metadata.version(name) for name in ("pillow", "numpy", "onnxruntime", "playwright")},
        "precision": Captioner(model).precision,
        "beam size": 3,
    }


def sizes(site: Path) -> dict[str, Any]:
    def weigh(paths: list[Path]) -> dict[str, float]:
        packed = sum(len(gzip.compress(path.read_bytes())) for path in paths)
        return {"plain": round(sum(path.stat().st_size for path in paths) / 1e6, 3), "gzip": round(packed / 1e6, 3)}

    files = [path for path in site.rglob("*") if path.is_file()]
    parts = {name: [path for path in files if path.parent.name == name] for name in ("model", "runtime", "examples")}
    parts["page"] = [path for path in files if path.parent == site]
    return {name: weigh(paths) for name, paths in (parts | {"all": files}).items()}


def first(browser: Browser, address: str, photo: Path, offline: bool) -> float:
    """Seconds from the navigation to the first caption, the photo chosen as soon as the page takes one."""
    context = browser.new_context()
    page = context.new_page()
    if offline:
        page.goto(address)
        seconds_to_caption(page, photo)
        page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
        context.set_offline(True)
    page.goto(address)
    seconds = seconds_to_caption(page, photo)
    context.close()
    return round(seconds, 2)


def seconds_to_caption(page: Page, photo: Path) -> float:
    page.set_input_files("#files", photo)
    return float(page.evaluate(FIRST)) / 1000


def module(browser: Browser, page: Page, files: Files, model: Path, photos: list[Path], turns: int) -> dict[str, Any]:
    """The module's first caption, and later ones beside the page's own of the same photos; what the folder weighs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "module"
        size, packed = write_module(folder, model), npm_archive(folder, Path(scratch))
        with serving(folder) as (address, own):
            own["page.html"], own["photo"] = MODULE_PAGE, photos[0].read_bytes()
            results = {
                "folder, MB": round(size / 1e6, 3),
                "npm's archive, MB": round(packed / 1e6, 3),
                "first caption, s": [module_page(browser, address)[1] for _ in range(turns)],
            }
            before = processor_seconds()
            guest, _ = module_page(browser, address)
            results["first caption, s of processor time"] = round(processor_seconds() - before, 2)
            return results | in_turn(guest, own, page, files, photos)


def npm_archive(folder: Path, scratch: Path) -> int:
    """The size in bytes of what `npm pack` makes of a folder."""
    command = ["npm", "pack", "--silent", "--pack-destination", str(scratch)]
    name = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.strip()
    return (scratch / name).stat().st_size


def module_page(browser: Browser, address: str) -> tuple[Page, float]:
    """`MODULE_PAGE` in a browser that never saw it, and the seconds from the navigation to its first caption."""
    guest = browser.new_context().new_page()
    guest.goto(f"{address}page.html")
    guest.wait_for_function("globalThis.took")
    return guest, round(guest.evaluate("took") / 1000, 2)


def in_turn(guest: Page, own: Files, page: Page, files: Files, photos: list[Path]) -> dict[str, Any]:
    """How long the module and the page take for the same photos, in alternating order, and if their words agree."""
    sides = {"module": (guest, (MODULE_CAPTION, "photo")), "page": (page, (CAPTION, ["photo", PLAIN]))}
    times: dict[str, list[float]] = {name: [] for name in sides}
    processor, same = dict.fromkeys(sides, 0.0), 0
    for number, photo in enumerate(photos):
        own["photo"] = files["photo"] = photo.read_bytes()
        words = []
        for name in sorted(sides, reverse=number % 2 == 1):
            window, call = sides[name]
            window.bring_to_front()
            before = processor_seconds()
            written, took = window.evaluate(*call)
            processor[name] += processor_seconds() - before
            words.append(written)
            times[name].append(took)
        same += words[0] == words[1]
    return {
        "photos": len(photos),
        "words equal to the page's": same,
        **{f"{name}, ms, median": round(statistics.median(took)) for name, took in times.items()},
        **{
            f"{name}, ms of processor time, mean": round(1000 * spent / len(photos))
            for name, spent in processor.items()
        },
    }


def processor_seconds() -> float:
    """What Chromium's processes that this one started have used of the processors (Linux)."""
    started, ours = {}, {os.getpid()}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            name, _, rest = stat.read_text().rpartition(")")
            fields = rest.split()
            started[int(stat.parent.name)] = int(fields[1]), name, int(fields[11]) + int(fields[12])
    while more := {process for process, (parent, *_) in started.items() if parent in ours} - ours:
        ours |= more
    ticks = sum(ticks for process, (_, name, ticks) in started.items() if process in ours and "chrom" in name)
    return ticks / os.sysconf("SC_CLK_TCK")


def compared(page: Page, files: Files, captioner: Captioner, chosen: dict[str, list[Path]]) -> dict[str, Any]:
    each = functools.partial(side_by_side, page, files, captioner)
    results = {name: each(map(Path.read_bytes, paths)) for name, paths in chosen.items()}
    every = [path for paths in chosen.values() for path in paths[::5]]
    for size in SIZES:
        some = every if max(size) < 3000 else every[::2]
        name = "scaled to {}x{}".format(*size)
        results[name] = each(scaled(path, size) for path in some)
    return results


def side_by_side(page: Page, files: Files, captioner: Captioner, photos: Iterator[bytes]) -> dict[str, Any]:
    page.bring_to_front()
    equal, times, python, evidence = [], [], [], []
    for number, photo in enumerate(photos):
        files["photo"] = photo
        words, took = page.evaluate(CAPTION, ["photo", PLAIN])
        start = time.perf_counter()
        equal.append(tuple(words) == captioner(photo).words)
        python.append(1000 * (time.perf_counter() - start))
        times.append(took)
        if number % 10 == 0:
            evidence.append(page.evaluate(CAPTION, ["photo", {**PLAIN, "evidence": True}])[1])
    return {
        "photos": len(equal),
        "words equal to Python's": sum(equal),
        "page, ms, median": round(statistics.median(times)),
        "page, ms, slowest": round(max(times)),
        "page with evidence, ms, median": round(statistics.median(evidence)),
        "Python, ms, median": round(statistics.median(python)),
    }


def sample(folder: Path, count: int) -> list[Path]:
    paths = sorted(folder.glob("*.jpg"))
    return paths[:: max(len(paths) // count, 1)][:count]


def scaled(path: Path, size: tuple[int, int]) -> bytes:
    grain = np.random.default_rng(len(path.name)).integers(-12, 13, (size[1], size[0], 1), np.int16)
    with Image.open(path) as photo:
        large = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    sharp = large.filter(ImageFilter.UnsharpMask(max(size[0] / 300, 1), 120, 0))
    pixels = (np.asarray(sharp, np.int16) + grain).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


@contextmanager
def serving(site: Path) -> Iterator[tuple[str, Files]]:
    """The site's address, and what lies beside its files: name -> content."""
    files: Files = {}

    class Handler(http.server.SimpleHTTPRequestHandler):
        extensions_map: ClassVar = {**http.server.SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript"}

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if (content := files.get(self.path.strip("/"))) is None:
                return super().do_GET()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", files
    finally:
        server.shutdown()


if __name__ == "__main__":
    main()
