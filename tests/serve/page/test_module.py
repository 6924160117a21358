"""The module in a real browser: in pages of its own server, and of another one with the policy that docs give."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sightline.captioner import BLANK
from tests.serve.page.conftest import contents, serving

DOCS = Path(__file__).parents[3] / "docs/web_module.md"
PAGE = {"index.html": b"<!doctype html><title>A page</title>", "favicon.ico": b""}
LOAD = """async address => {
  globalThis.module = await import(`${address}sightline.js`);
  globalThis.progress = [];
  globalThis.captioner = await module.load({onProgress: piece => progress.push([piece.loaded, piece.total])});
}"""
FILE = "const file = new Blob([Uint8Array.from(atob(photo), letter => letter.charCodeAt(0))]);"
CAPTION = f"async ([photo, options]) => {{ {FILE} return captioner.caption(file, options); }}"


def policy(elsewhere: str) -> str:
    """The policy that docs give for a module of another origin."""
    found = re.findall(r"Content-Security-Policy: (default-src.*cdn\.example.*)", DOCS.read_text(encoding="utf-8"))
    assert len(found) == 1
    return found[0].replace("https://cdn.example", elsewhere.rstrip("/"))


def encoded(photo: Path) -> str:
    return base64.b64encode(photo.read_bytes()).decode()


@pytest.fixture(scope="session")
def module_address(module: Path) -> Iterator[str]:
    with serving({**PAGE, **contents(module)}, Access_Control_Allow_Origin="*") as address:
        yield address


class Guest:
    """A window on a page that uses the module, and all that went wrong in it."""

    def __init__(self, browser: Any, address: str) -> None:
        self.context = browser.new_context()
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("console", lambda said: self.problems.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.set_default_timeout(15_000)
        self.page.goto(address)

    def error(self, body: str, argument: str = "") -> str:
        """The message of the error that JavaScript ends with, behind its name."""
        ending = "return 'none'; } catch (error) { return `${error.name}: ${error.message}`; }"
        return self.page.evaluate(f"async given => {{ try {{ {body}; {ending} }}", argument)

    def close(self) -> None:
        self.context.close()
        assert self.problems == []


@pytest.fixture(scope="module")
def guest(browser, module_address, photos) -> Iterator[Guest]:
    """A page of another origin, with a policy, that has loaded the module."""
    files = {**PAGE, **{path.name: path.read_bytes() for path in photos}}
    with serving(files, Content_Security_Policy=policy(module_address)) as address:
        opened = Guest(browser, address)
        opened.page.evaluate(LOAD, module_address)
        yield opened
        opened.close()


def test_a_page_of_another_origin_gets_the_captions_that_python_gives(guest, photos, captioner):
    for path in photos[:3]:
        expected = captioner(path, evidence=True)
        found = guest.page.evaluate(CAPTION, [encoded(path), {"evidence": True}])
        assert (found["text"], found["words"]) == (expected.text, list(expected.words))
        assert [other["text"] for other in found["alternatives"]] == [other.text for other in expected.alternatives]
        assert found["score"] == pytest.approx(expected.score, abs=1e-3)
        assert len(found["attention"]) == len(found["evidence"]) == len(found["logProbs"]) == len(found["words"])
    greedy = guest.page.evaluate(CAPTION, [encoded(photos[0]), {"beamSize": 1, "lengthPenalty": 0}])
    assert greedy["words"] == list(captioner(photos[0], beam_size=1, length_penalty=0).words)
    assert greedy["alternatives"] == []
    progress = guest.page.evaluate("progress")
    assert progress[-1][0] == progress[-1][1] and progress == sorted(progress)


PARTS = {"model": "model", "runtime": "lib/runtime/", "worker": "lib/worker.js"}
OTHER_PARTS = f"""async ([options, photo]) => {{
  const {{load}} = await import("./sightline.js"), captioner = await load(options);
  {FILE}
  return (await captioner.caption(file)).words;
}}"""
# One element's pictures one after the other: what it said of each.
FOLLOWS = """async address => {
  await import(`${address}element.js`);
  const said = [], element = document.createElement("sightline-caption"), image = document.createElement("img");
  let resolve;
  for (const kind of ["caption", "error"]) {
    element.addEventListener(kind, ({type, detail}) => {
      const text = element.shadowRoot.querySelector("p").textContent;
      const holds = element.caption === (detail ?? null);
      said.push([type, text, element.image.alt, element.shadowRoot.querySelector("[part=note]").textContent, holds]);
      resolve();
    });
  }
  const show = async change => {
    const shown = new Promise(done => { resolve = done; });
    change();
    await shown;
  };
  await show(() => { element.src = "0.png"; document.body.append(element); });
  await show(() => { element.src = "1.png"; });
  await show(() => { element.src = "nowhere.png"; });
  await show(() => { element.src = "blank.png"; });
  image.src = "2.png";
  await show(() => element.append(image));
  return said;
}"""
# Every form that a page may have a photo in; `image` shows it.
FORMS = {
    "blob": "file",
    "bytes": "await file.arrayBuffer()",
    "address": "'0.png'",
    "image": "image",
    "canvas": "canvas",
    "bitmap": "await createImageBitmap(canvas)",
    "pixels": "canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)",
    "offscreen": "(offscreen.getContext('2d').drawImage(image, 0, 0), offscreen)",
    "object address": "URL.createObjectURL(file)",
}
SHOWN = """
  const image = new Image(), canvas = document.createElement("canvas");
  image.src = "0.png";
  await image.decode();
  const file = await (await fetch("0.png")).blob(), offscreen = new OffscreenCanvas(image.width, image.height);
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").drawImage(image, 0, 0);
"""


def test_a_photo_may_have_any_form(guest, photos, captioner):
    words = list(captioner(photos[0]).words)
    for name, form in FORMS.items():
        found = guest.page.evaluate(f"async () => {{ {SHOWN} return (await captioner.caption({form})).words; }}")
        assert found == words, name


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (r"new Blob(['\0\0\0\x18ftypheic'])", "Error: a HEIC photo, which this browser does not read; save it as JPEG"),
        ("new Blob(['<svg xmlns=\"http://www.w3.org/2000/svg\"/>'])", "Error: a vector drawing; save it as PNG"),
        ("new Blob(['%PDF-1.7'])", "Error: a PDF document; save its pages as PNG"),
        ("new Blob(['words'])", "Error: not a picture that this browser can read"),
        ("new Blob()", "Error: an empty file"),
        ("new Blob([new Uint8Array(65e6)])", "Error: a file of 65 MB, of 64 at most; scale the photo down first"),
        (
            "`data:image/png;base64,${'A'.repeat(133e6)}`",
            "Error: a file of 100 MB, of 64 at most; scale the photo down first",
        ),
        ("'nowhere.jpg'", "Error: nowhere.jpg: not on the server (404)"),
        ("new Image()", "Error: the <img> has no picture yet"),
        ("document.createElement('video')", "Error: there is no picture in it yet"),
        (
            "42",
            "TypeError: not a photo: a Blob, an <img>, an address, a canvas, a video, ImageData or an ImageBitmap is",
        ),
        ("new Blob(), {beamSize: 0}", "TypeError: beamSize: a whole number from 1 to 10, not 0"),
        ("new Blob(), {lengthPenalty: NaN}", "TypeError: lengthPenalty: a number, not NaN"),
    ],
)
def test_what_is_no_photo_is_named(guest, photo, said):
    assert guest.error(f"await captioner.caption({photo})") == said
    guest.problems = [text for text in guest.problems if "status of 404" not in text]


def test_a_picture_that_the_page_may_not_read_is_named_with_the_way_out(browser, module_address, photos):
    with (
        serving({"photo.png": photos[0].read_bytes()}) as elsewhere,
        serving(PAGE) as address,
    ):
        guest = Guest(browser, address)
        guest.page.evaluate(LOAD, module_address)
        body = "const image = new Image(); image.src = given; await image.decode(); await captioner.caption(image)"
        said = guest.error(body, f"{elsewhere}photo.png")
        assert said.startswith("Error: this page may not read the picture") and "crossorigin" in said
        guest.context.close()


def test_captions_can_be_given_up_and_the_captioner_closed(guest, photos):
    ends = """async photo => {
      const { load } = module, file = new Blob([Uint8Array.from(atob(photo), letter => letter.charCodeAt(0))]);
      const say = promise => promise.then(({words}) => words.length > 0, error => `${error.name}: ${error.message}`);
      const stop = new AbortController(), other = await load();
      const ended = [undefined, stop.signal, undefined].map(signal => say(other.caption(file, {signal})));
      stop.abort();
      ended.push(say(other.caption(file, {signal: stop.signal})));
      const done = await Promise.all(ended), last = say(other.caption(file)), waits = say(other.caption(file));
      other.close();
      other.close();
      return [...done, await last, await waits, await say(other.caption(file))];
    }"""
    stopped = "AbortError: signal is aborted without reason"
    closed = "Error: the captioner is closed"
    assert guest.page.evaluate(ends, encoded(photos[0])) == [True, stopped, True, stopped, closed, closed, closed]
    guest.page.wait_for_timeout(100)
    assert len(guest.page.workers) == 1  # the guest's own
    body = "const stop = new AbortController(), loaded = module.load({signal: stop.signal}); stop.abort(); await loaded"
    assert guest.error(body) == stopped
    assert guest.error("await module.load({signal: AbortSignal.abort()})") == stopped


@pytest.mark.parametrize(
    ("options", "forbidden", "said"),
    [
        ("model: 'nowhere/'", None, ": not on the server (404)"),
        ("runtime: 'nowhere'", None, "ort-wasm-simd-threaded.wasm: not on the server (404)"),
        ("model: 'http://127.0.0.1:9/model/'", None, "cannot be fetched"),
        ("worker: 'nowhere.js'", None, "the model's worker does not start"),
        ("", " 'wasm-unsafe-eval'", "'wasm-unsafe-eval'"),
        ("", " blob:", "the model's worker does not start"),
    ],
)
def test_what_is_in_the_way_of_loading_is_named(browser, module_address, options, forbidden, said):
    allowed = policy(module_address)
    with serving(PAGE, Content_Security_Policy=allowed.replace(forbidden, "") if forbidden else allowed) as address:
        guest = Guest(browser, address)
        body = f"await (await import(`${{given}}sightline.js`)).load({{{options}}})"
        found = guest.error(body, module_address)
        assert found.startswith("Error: ") and said in found, found
        guest.context.close()


def test_parts_may_come_from_addresses_of_their_own(browser, module, module_address, photos, captioner):
    with serving({**PAGE, **contents(module)}) as address:
        guest = Guest(browser, address)
        options = {name: f"{module_address}{path}" for name, path in PARTS.items()}
        found = guest.page.evaluate(OTHER_PARTS, [options, encoded(photos[1])])
        assert found == list(captioner(photos[1]).words)
        guest.context.close()


def test_what_only_some_models_give_is_passed_on(guest):
    given = {
        "caption": "a dog",
        "words": ["a", "dog"],
        "score": -0.5,
        "confidence": 0.9,
        "word_confidence": [None, 0.9],
    }
    given |= {
        "word_confidence": [None, 0.9],
        "kind": "photo",
        "keywords": [{"word": "dog", "probability": 0.8}],
        "log_probs": [-0.1, -0.2],
    }
    given["alternatives"] = [{"caption": "a cat", "score": -1, "confidence": 0.1}]
    caption = guest.page.evaluate(
        """async given => {
          const caption = JSON.stringify({caption: given});
          const script = `onmessage = ({data}) => postMessage(data.photo ? ${caption} : {ready: true})`;
          const worker = new Worker(URL.createObjectURL(new Blob([script])));
          return (await module.load({worker})).caption(new Blob());
        }""",
        given,
    )
    assert caption == {
        **{name: given[name] for name in ("words", "score", "confidence", "kind", "keywords")},
        **{"text": "a dog", "logProbs": [-0.1, -0.2], "wordConfidence": [None, 0.9]},
        "alternatives": [{"text": "a cat", "score": -1, "confidence": 0.1}],
    }


def test_the_example_shows_a_caption_under_its_policy(browser, module, module_address, captioner):
    guest = Guest(browser, f"{module_address}example.html")
    text = captioner(module / "example.jpg").text
    line = guest.page.locator("sightline-caption p[part~=text]").first
    line.filter(has_text=text).wait_for()
    assert line.get_attribute("part") == "text done"
    assert guest.page.get_by_role("img").get_attribute("alt") == "A drawing of a dog on grass"
    guest.page.set_input_files("input", {"name": "a.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"})
    guest.page.locator("p[part='text failed']").filter(has_text="A vector drawing; save it as PNG").wait_for()
    guest.close()


def test_the_element_follows_its_picture(browser, module_address, photos, captioner, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (30, 20), "red").save(blank)
    files = {**PAGE, **{path.name: path.read_bytes() for path in [*photos, blank]}}
    with serving(files, Content_Security_Policy=policy(module_address)) as address:
        guest = Guest(browser, address)
        first, second, third = (captioner(photo).text for photo in photos[:3])
        assert guest.page.evaluate(FOLLOWS, module_address) == [
            ["caption", first, first, "", True],
            ["caption", second, second, "", True],
            ["error", "Nowhere.png: not on the server (404)", "", "", True],
            ["caption", captioner(blank).text, "", BLANK[0].upper() + BLANK[1:], True],
            ["caption", third, third, "", True],
        ]
        guest.context.close()
