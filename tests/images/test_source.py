import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from sightline.errors import SightlineError
from sightline.images import source
from sightline.images.source import FileSource, ParquetSource, TarSource, UrlSource, file_system
from sightline.preprocess import open_photo


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "größe 1.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    return path


@pytest.fixture(params=["file", "member", "url", "cell", "struct"])
def place(request, photo, tmp_path):
    content = photo.read_bytes()
    if request.param == "file":
        return FileSource(str(photo))
    if request.param == "member":
        (tmp_path / "s.tar").write_bytes(b"before" + content + b"after")
        return TarSource(str(tmp_path / "s.tar"), photo.name, 6, len(content))
    if request.param == "url":
        fsspec = pytest.importorskip("fsspec")
        fsspec.filesystem("memory").pipe("/folder/photo.png", content)
        return UrlSource("memory://folder/photo.png")
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    cell = content if request.param == "cell" else {"bytes": content, "path": "x.png"}
    table = pyarrow.table({"image": [cell, cell, cell], "n": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=2)
    return ParquetSource(str(tmp_path / "t.parquet"), "image", 2)


def test_the_same_photo_wherever_it_lies(place, photo):
    assert place.read() == photo.read_bytes()
    assert place.size() in (photo.stat().st_size, None)
    assert np.array_equal(np.asarray(open_photo(place)), np.asarray(Image.open(photo)))
    again = pickle.loads(pickle.dumps(place))
    assert again == place and hash(again) == hash(place) and again.stamp() == place.stamp()


def test_what_is_not_there_is_named_by_its_place(tmp_path):
    (tmp_path / "short.tar").write_bytes(b"1234")
    for place, message in (
        (FileSource(str(tmp_path / "no.png")), "no.png: no such file"),
        (TarSource(str(tmp_path / "no.tar"), "a.jpg", 0, 3), "no.tar/a.jpg: no such file"),
        (
            TarSource(str(tmp_path / "short.tar"), "a.jpg", 2, 3),
            "short.tar/a.jpg: cannot be read .the shard is cut off",
        ),
        (TarSource(str(tmp_path / "short.tar"), "a.jpg", 1, 3), "short.tar/a.jpg: not an image"),
    ):
        with pytest.raises(SightlineError, match=message):
            open_photo(place)


def test_a_url_that_cannot_be_read_says_why():
    pytest.importorskip("fsspec")
    for url, message in (
        ("memory://nowhere/no.png", "memory://nowhere/no.png: no such file"),
        ("nosuch://a/b.png", r"nosuch://a/b.png: cannot be read \(Protocol not known: nosuch"),
    ):
        with pytest.raises(SightlineError, match=message):
            open_photo(UrlSource(url))


def test_a_stamp_changes_with_the_file(photo):
    before = FileSource(str(photo)).stamp()
    photo.write_bytes(photo.read_bytes() + b"\0")
    assert FileSource(str(photo)).stamp() != before


def test_many_threads_read_one_table(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    photos = [bytes([number]) * 1000 for number in range(100)]
    for attempt in range(20):  # each begins with a file that nobody has opened
        path = tmp_path / f"{attempt}.parquet"
        parquet.write_table(pa.table({"image": photos}), path, row_group_size=2)
        places = [ParquetSource(str(path), "image", number) for number in range(100)]
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(ParquetSource.read, places)) == photos


def test_https_is_not_redirected_to_another_scheme():
    pytest.importorskip("aiohttp")
    pytest.importorskip("fsspec")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path == "/photo":
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"photo")
            else:
                self.send_response(302)
                self.send_header("Location", "/photo" if self.path == "/near" else f"http://localhost:{port}/photo")
                self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    port = server.server_port
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert UrlSource(f"http://localhost:{port}/far").read() == b"photo"
        # The file system of https, which is also able to read this server's http.
        https, _ = file_system("https://localhost/photo")
        assert https.cat_file(f"http://localhost:{port}/near") == b"photo"
        for read in (https.cat_file, https.open):
            with pytest.raises(OSError, match="redirected from https to http") as refused, source._as_os_error("here"):
                read(f"http://localhost:{port}/far")
            assert not isinstance(refused.value, FileNotFoundError)
        with pytest.raises(OSError) as failed:
            UrlSource(f"http://localhost:{port + 1 if port < 65535 else 1}/photo").read()
        assert not isinstance(failed.value, FileNotFoundError)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_child_reads_a_table_that_its_parent_was_reading_at_the_fork(tmp_path):
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table({"image": [b"one"]}), tmp_path / "photos.parquet")
    code = """
import os, signal, sys, threading
from sightline.images import source

cell = source.ParquetSource(sys.argv[1], "image", 0)
cell.read()
source._cells.cache_clear()
with source._reading[os.getpid()]:  # as another thread would hold it
    child = os.fork()
if not child:
    signal.alarm(20)
    os._exit(cell.read() != b"one")
sys.exit(os.waitpid(child, 0)[1] != 0)
"""
    subprocess.run([sys.executable, "-c", code, tmp_path / "photos.parquet"], check=True, timeout=60)
