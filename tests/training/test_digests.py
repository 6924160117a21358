import hashlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from sightline.images.source import FileSource
from sightline.training.digests import Digests


def test_digests_are_of_the_bytes_and_taken_once(tmp_path, monkeypatch):
    # Among so many some end with a byte of zero, which NumPy's strings would lose.
    contents = [str(number).encode() for number in range(600)]
    assert any(hashlib.sha256(content).digest().endswith(b"\0") for content in contents)
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.jpg").write_bytes(content)
    photos = [FileSource(tmp_path / f"{number}.jpg") for number in range(600)]
    with ThreadPoolExecutor(2) as pool:
        expected = [hashlib.sha256(content).hexdigest() for content in contents]
        assert Digests(tmp_path / "known").of(photos, pool) == expected
        monkeypatch.setattr(FileSource, "read", lambda self: pytest.fail("read again"))
        assert Digests(tmp_path / "known").of(photos, pool) == expected
