import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from PIL import Image

from sightline.errors import SightlineError
from sightline.images.source import FileSource
from sightline.nn.encoder import SmallCNN
from sightline.preprocess import preprocess
from sightline.training.distributed import Ranks
from sightline.training.features import Digests, FeatureCache, fingerprint


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SmallCNN().eval()


@pytest.fixture
def photos(tmp_path):
    random = np.random.default_rng(0)
    paths = [FileSource(str(tmp_path / f"photo {index}.png")) for index in range(5)]
    for path in paths:
        Image.fromarray(random.integers(0, 255, (64, 64, 3), np.uint8)).save(path)
    return paths


def expected(encoder, path):
    with torch.no_grad():
        return encoder(torch.from_numpy(preprocess(path, encoder.preprocessing))[None])[0].numpy()


def encoded(cache, photos):
    told = []
    rows, places = cache.rows(photos, lambda done, total: told.append(total))
    return rows[places], (told[-1] if told else 0)


def test_rows_are_the_encoders_and_computed_once(encoder, photos, tmp_path):
    cache = FeatureCache(tmp_path / "cache", encoder)
    features, computed = encoded(cache, [*photos, photos[0]])
    assert computed == 5
    assert features.dtype == np.float16
    for row, path in zip(features, photos, strict=False):
        np.testing.assert_allclose(row, expected(encoder, path), atol=2e-3)
    again, computed = encoded(FeatureCache(tmp_path / "cache", encoder), photos[::-1])
    assert computed == 0
    np.testing.assert_array_equal(again, features[:5][::-1])


def test_a_changed_photo_gets_a_new_row(encoder, photos, tmp_path):
    cache = FeatureCache(tmp_path / "cache", encoder)
    encoded(cache, photos)
    Image.new("RGB", (64, 64), "red").save(photos[2])
    features, computed = encoded(cache, photos)
    assert computed == 1
    np.testing.assert_allclose(features[2], expected(encoder, photos[2]), atol=2e-3)


def test_other_weights_never_meet_these_rows(encoder, photos, tmp_path):
    encoded(FeatureCache(tmp_path / "cache", encoder), photos)
    before = fingerprint(encoder)
    with torch.no_grad():
        encoder.layers[0].weight[0, 0, 0, 0] += 1e-3
    assert fingerprint(encoder) != before
    assert encoded(FeatureCache(tmp_path / "cache", encoder), photos)[1] == 5


def test_an_interruption_leaves_no_wrong_row(encoder, photos, tmp_path):
    cache = FeatureCache(tmp_path / "cache", encoder)
    encoded(cache, photos[:2])
    with (cache.folder / "rows.f16").open("ab") as data:
        data.write(b"half a row")
    with (cache.folder / "rows.sha256").open("a") as names:
        names.write("half a na")
    features, computed = encoded(FeatureCache(tmp_path / "cache", encoder), photos)
    assert computed == 3
    for row, path in zip(features, photos, strict=True):
        np.testing.assert_allclose(row, expected(encoder, path), atol=2e-3)


def test_an_unreadable_photo_is_named_and_what_was_computed_stays(encoder, photos, tmp_path):
    cache = FeatureCache(tmp_path / "cache", encoder)
    encoded(cache, photos[:3])
    Path(photos[4]).write_bytes(photos[4].read()[:200])
    with pytest.raises(SightlineError, match="photo 4"):
        encoded(cache, photos)
    assert encoded(cache, photos[:3])[1] == 0
    with pytest.raises(SightlineError, match="absent"):
        encoded(cache, [FileSource(str(tmp_path / "absent.png"))])


def test_a_full_disk_is_one_line_and_what_was_computed_stays(encoder, photos, tmp_path, disk_full):
    cache = FeatureCache(tmp_path / "cache", encoder)
    encoded(cache, photos[:3])
    row_bytes = (cache.folder / "rows.f16").stat().st_size // 3
    with disk_full(4 * row_bytes + 7), pytest.raises(SightlineError, match=r"cannot be written \(.+\); make room"):
        encoded(cache, photos)
    assert encoded(cache, photos[:3])[1] == 0
    features, computed = encoded(cache, photos)
    assert computed == 2
    for row, path in zip(features, photos, strict=True):
        np.testing.assert_allclose(row, expected(encoder, path), atol=2e-3)


def test_names_without_their_rows_are_not_believed(encoder, photos, tmp_path):
    cache = FeatureCache(tmp_path / "cache", encoder)
    encoded(cache, photos)
    data = cache.folder / "rows.f16"
    data.write_bytes(data.read_bytes()[: -data.stat().st_size // 5 - 1])
    features, computed = encoded(cache, photos)
    assert computed == 2
    for row, path in zip(features, photos, strict=True):
        np.testing.assert_allclose(row, expected(encoder, path), atol=2e-3)


def in_two_processes(work):
    """``work(ranks)`` of two ranks at once, each on a machine of its own: [what each returned]."""
    store = dist.HashStore()
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda rank: work(Ranks(rank, 2, 0, 1, store)), (0, 1)))


@pytest.mark.parametrize(("folders", "encoded_by_all"), [(["cache", "cache"], 5), (["mine", "yours"], 10)])
def test_processes_encode_a_share_each_wherever_their_caches_lie(folders, encoded_by_all, encoder, photos, tmp_path):
    def share(ranks):
        rows, places = FeatureCache(tmp_path / folders[ranks.rank], encoder).rows(photos, ranks=ranks)
        return rows[places]

    for features in in_two_processes(share):
        for row, path in zip(features, photos, strict=True):
            np.testing.assert_allclose(row, expected(encoder, path), atol=2e-3)
    assert sum(len(path.read_text().split()) for path in tmp_path.rglob("rows.sha256")) == encoded_by_all


def test_what_one_process_cannot_read_ends_the_others_wait(encoder, photos, tmp_path):
    photo = Path(photos[3])
    photo.write_bytes(photo.read_bytes()[:200])

    def share(ranks):
        with pytest.raises(SightlineError) as error:
            FeatureCache(tmp_path / "cache", encoder).rows(photos, ranks=ranks)
        return ranks.fail(str(error.value))

    first, second = in_two_processes(share)
    assert first == second
    assert "photo 3" in first


def test_a_place_where_no_cache_can_be_is_named(encoder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SightlineError, match="no features can be kept there"):
        FeatureCache(tmp_path / "file" / "cache", encoder)


def test_a_photo_is_read_for_its_digest_once(encoder, photos, tmp_path, monkeypatch):
    first, _ = encoded(FeatureCache(tmp_path / "cache", encoder), photos)
    (tmp_path / "cache" / "photos.sha256").open("ab").write(b"half a row")
    read = []
    monkeypatch.setattr(
        FileSource, "read", lambda file, read_file=FileSource.read: read.append(file) or read_file(file)
    )
    again, computed = encoded(FeatureCache(tmp_path / "cache", encoder), photos)
    assert computed == 0 and not read and np.array_equal(again, first)
    Image.new("RGB", (64, 64), "red").save(photos[2])
    assert encoded(FeatureCache(tmp_path / "cache", encoder), photos)[1] == 1 and read == [photos[2]]
    read.clear()
    assert encoded(FeatureCache(tmp_path / "cache", encoder), photos)[1] == 0 and not read


def test_digests_are_of_the_bytes_and_taken_once(tmp_path, monkeypatch):
    # Among so many some end with a byte of zero, which NumPy's strings would lose.
    contents = [str(number).encode() for number in range(600)]
    assert any(hashlib.sha256(content).digest().endswith(b"\0") for content in contents)
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.jpg").write_bytes(content)
    photos = [FileSource(str(tmp_path / f"{number}.jpg")) for number in range(600)]
    with ThreadPoolExecutor(2) as pool:
        expected = [hashlib.sha256(content).hexdigest() for content in contents]
        assert Digests(tmp_path / "known").of(photos, pool) == expected
        monkeypatch.setattr(FileSource, "read", lambda self: pytest.fail("read again"))
        assert Digests(tmp_path / "known").of(photos, pool) == expected
