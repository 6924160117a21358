"""The pipeline on Ray: a worker is killed in it, and it goes on where it was left. One Ray for all of this file."""

from __future__ import annotations

import os
import signal
import sys
import tarfile
import threading
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

import sightline
from sightline import SightlineError
from sightline.bulk import Written, caption_photos
from sightline.cli.explain import save_sheet

if find_spec("ray") is None:  # imported, it would take time of every process that collects the tests
    pytest.skip("the extra `ray` is not installed", allow_module_level=True)
pyarrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="workers are found in /proc"),
]


@pytest.fixture(scope="module", autouse=True)
def ray_of_two_cores():
    import ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


def kill_a_worker(killed: list[int], ended: threading.Event) -> None:
    """kill -9 of the first worker that captions, once it is at it, however long that takes to start."""
    while not ended.wait(0.01):
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                title = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if title.startswith(b"ray::MapWorker(MapBatches(CaptionBatches))") and b"submit" in title:
                os.kill(int(folder.name), signal.SIGKILL)
                killed.append(int(folder.name))
                return


@pytest.mark.slow
def test_every_photo_is_one_row_though_a_worker_is_killed_and_shards_are_torn(tiny_bundle, photos, tmp_path):
    folder, out = tmp_path / "a ü", tmp_path / "captions"
    folder.mkdir()
    captioner, expected = sightline.load(tiny_bundle), {}
    for number in range(210):
        (path := folder / f"{number:03}.png").symlink_to(photos[number % 7])
        expected[str(path)] = (
            captioner(photos[number % 7]).text if number < 7 else expected[f"{folder}/{number % 7:03}.png"]
        )
    (folder / "bad.jpg").write_text("no photo")
    (folder / "drawing.svg").write_text("<svg/>")  # left out, as is the sheet
    save_sheet(folder / "sheet.png", Image.new("RGB", (8, 8)))
    with tarfile.open(folder / "shard.tar", "w") as file:
        for photo in photos[:2]:
            file.add(photo, photo.name)
    torn = (folder / "shard.tar").read_bytes()
    (folder / "torn.tar").write_bytes(torn[: torn.index(b"1.png")])
    expected |= {f"{folder}/{shard}.tar/0.png": expected[f"{folder}/000.png"] for shard in ("shard", "torn")}
    expected |= {f"{folder}/shard.tar/1.png": expected[f"{folder}/001.png"]}
    absent = str(tmp_path / "absent.jpg")
    expected |= dict.fromkeys([f"{folder}/bad.jpg", f"{folder}/torn.tar", absent])

    (killer := threading.Thread(target=kill_a_worker, args=[killed := [], ended := threading.Event()])).start()
    try:
        written = caption_photos([folder, absent], out, model=tiny_bundle)
    finally:
        ended.set()
        killer.join()
    assert killed
    assert written == Written(rows=216, errors=3)
    rows = parquet.read_table(out).to_pylist()
    assert list(rows[0]) == [
        "photo",
        "caption",
        "words",
        "log_probs",
        "score",
        "confidence",
        "kind",
        "keywords",
        "error",
    ]
    assert max(Counter(row["photo"] for row in rows).values()) == 1
    assert {row["photo"]: row["caption"] for row in rows} == expected
    errors = {row["photo"]: row["error"] for row in rows if row["error"]}
    assert errors[f"{folder}/torn.tar"].startswith(f"{folder}/torn.tar: torn or damaged after 1 photo ")

    before = {path: path.read_bytes() for path in out.iterdir()}
    (folder / "new.png").symlink_to(photos[3])
    assert caption_photos([folder, absent], out, model=tiny_bundle) == Written(rows=217, errors=3)
    assert before.items() <= {path: path.read_bytes() for path in out.iterdir()}.items()
    (new,) = [path for path in out.iterdir() if path not in before]
    assert [row["photo"] for row in parquet.read_table(new).to_pylist()] == [f"{folder}/new.png"]

    with pytest.raises(SightlineError, match=r"its captions were made by .* beam 3.*these would be by .* beam 1"):
        caption_photos(folder, out, model=tiny_bundle, beam_size=1)


def test_what_is_somebody_elses_is_left_alone(tiny_bundle, photos, tmp_path):
    (out := tmp_path / "table").mkdir()
    parquet.write_table(pyarrow.table({"x": [1]}), out / "0.parquet")
    with pytest.raises(SightlineError, match=r"holds Parquet, but no .*\.finished says what of it is finished"):
        caption_photos(photos[0], out, model=tiny_bundle)
    with pytest.raises(SightlineError, match="no photos found in an empty list"):
        caption_photos([], out, model=tiny_bundle, overwrite=True)
    assert [path.name for path in out.iterdir()] == ["0.parquet"]
