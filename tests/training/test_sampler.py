import numpy as np
import pytest

from sightline.data.dataset import read_dataset
from sightline.data.large.packed import Joined
from sightline.data.large.write_shards import write_shards
from sightline.training import sampler
from sightline.training.sampler import LengthSampler, Shards, large_shards


def targets(photos=205):
    random = np.random.default_rng(0)
    result = np.zeros((photos, 5, 21), np.int64)
    for index in np.ndindex(photos, 5):
        result[index][: random.integers(3, 21)] = 4
    return result


def test_every_photo_once_an_epoch_in_an_order_of_its_own():
    sampler = LengthSampler(targets(), 16, seed=1)
    orders = []
    for epoch in (0, 1, 0):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 13
        orders.append([photo for batch in batches for photo in batch.photos])
        assert sorted(orders[-1]) == list(range(205))
    assert orders[0] == orders[2] != orders[1]


def test_a_batch_holds_captions_of_similar_length():
    lengths = (targets() != 0).sum((1, 2))
    spread = np.mean([lengths[batch.photos].std() for batch in LengthSampler(targets(), 16, seed=1)])
    assert spread < 0.6 * lengths.std()


@pytest.mark.parametrize("seed", [1, None], ids=["training", "held out"])
def test_processes_share_every_batch_and_none_is_left_without_one(seed):
    whole = list(LengthSampler(targets(193), 16, seed))
    parts = [list(LengthSampler(targets(193), 16, seed, rank, 3)) for rank in range(3)]
    assert {len(part) for part in parts} == {len(whole)} == {13}
    for batch, *shares in zip(whole, *parts, strict=True):
        counted = [share for share in shares if share.share.counts]
        assert all(share.photos == batch.photos[share.share.places] for share in shares)
        assert sorted(photo for share in counted for photo in share.photos) == sorted(batch.photos)
        assert all(len(share.photos) == 1 for share in shares if not share.share.counts)
    assert len(counted) == (1 if seed is None else 3)  # the last batch has one photo for three
    assert [len(batch.photos) for batch in whole].count(1) == 1


def test_photos_are_shown_as_often_as_asked():
    shown = np.repeat([1.0, 2.5, 0.25], [100, 101, 4])
    sampler = LengthSampler(targets(), 16, seed=1, shown=shown)
    extra = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        batches = list(sampler)
        assert len(batches) == len(sampler) == 23  # 353.5 photos
        counts = np.bincount([photo for batch in batches for photo in batch.photos], minlength=205)
        assert (counts[:100] == 1).all()
        assert set(counts[100:201]) == {2, 3}
        assert set(counts[201:]) <= {0, 1}
        extra.append(np.flatnonzero(counts[100:201] == 3))
    assert len(set(extra[0]) & set(extra[1])) < 40  # half of each other's half


def test_shards_larger_than_memory_are_shown_few_at_a_time():
    of_photo = np.repeat(np.arange(40, dtype=np.int32), 100)
    shards = Shards(of_photo, np.full(40, 10.0), window=40)  # four at a time, 400 photos

    def order(epoch, shown=None):
        sampler = LengthSampler(targets(4000), 4, seed=1, shown=shown, shards=shards)
        sampler.set_epoch(epoch)
        return np.concatenate([batch.photos for batch in sampler])

    first = order(0)
    assert sorted(first) == list(range(4000))
    assert (first == order(0)).all()
    assert set(of_photo[first[:200]]) != set(of_photo[order(1)[:200]])
    more = order(0, np.repeat([1.0, 2.5], 2000))
    assert len(more) == 7000
    for photos in (first, more):
        looked_at = [len(set(of_photo[photos[start : start + 100]])) for start in range(0, len(photos), 100)]
        assert np.median(looked_at) == 4 and max(looked_at) <= 12  # of one window, or of two that meet
    assert np.corrcoef(np.arange(100), first[:100] % 100)[0, 1] < 0.3  # shuffled within


def test_processes_share_batches_of_shards_too():
    shards = Shards(np.repeat(np.arange(10, dtype=np.int32), 20), np.ones(10), window=2)
    whole = list(LengthSampler(targets(200), 16, 1, shards=shards))
    parts = [list(LengthSampler(targets(200), 16, 1, rank, 2, shards=shards)) for rank in range(2)]
    for batch, *shares in zip(whole, *parts, strict=True):
        assert sorted(photo for share in shares for photo in share.photos) == sorted(batch.photos)


def test_only_shards_that_are_large_are_shown_so(shapes, tmp_path, monkeypatch):
    write_shards(shapes, tmp_path, shard_bytes=20_000)
    read = read_dataset(tmp_path).split("train")
    assert large_shards(read) is None
    monkeypatch.setattr(sampler, "_LARGE", 0)
    assert large_shards(read_dataset(shapes).split("train")) is None
    found = large_shards(Joined([read, read]))
    assert (found.of_photo[: len(read)] + found.sizes.size // 2 == found.of_photo[len(read) :]).all()
    assert found.sizes.sum() == 2 * sum(example.photo.size() for example in read)
