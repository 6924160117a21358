"""The callable that engines map over batches; no engine is needed to try it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

import sightline
from sightline import SightlineError
from sightline.bulk import CaptionBatches
from sightline.bulk.batches import _captioner

COLUMNS = ["photo", "caption", "words", "log_probs", "score", "confidence", "kind", "keywords", "error"]


@pytest.fixture(scope="module")
def captions(tiny_bundle: Path) -> CaptionBatches:
    return CaptionBatches(tiny_bundle)


@pytest.fixture(scope="module")
def text(tiny_bundle: Path, photos: list[Path]) -> list[str]:
    captioner = sightline.load(tiny_bundle)
    return [captioner(photo).text for photo in photos]


def test_a_dict_of_arrays_gives_one(captions, photos, text, tiny_bundle):
    rows = captions({"photo": np.array([str(photo) for photo in photos])})
    assert list(rows) == COLUMNS
    assert all(isinstance(column, np.ndarray) and column.shape == (7,) for column in rows.values())
    assert rows["caption"].tolist() == text
    assert rows["error"].tolist() == [None] * 7
    expected = sightline.load(tiny_bundle)(photos[0])
    assert rows["words"][0] == list(expected.words)
    assert rows["log_probs"][0] == pytest.approx(expected.log_probs.tolist(), abs=1e-5)
    assert np.isnan(rows["confidence"]).all() and rows["kind"].tolist() == [None] * 7 and rows["keywords"][0] == []
    assert rows["score"].dtype == float and rows["score"][0] == pytest.approx(expected.score, abs=1e-5)


def test_rows_have_what_the_heads_know(photos, heads_bundle):
    pa = pytest.importorskip("pyarrow")
    captions = [sightline.load(heads_bundle)(photo) for photo in photos]
    names = [*map(str, photos), "absent.jpg"]
    rows = CaptionBatches(heads_bundle)(pa.table({"photo": names})).to_pydict()
    assert rows["confidence"] == [*(pytest.approx(caption.confidence, abs=1e-4) for caption in captions), None]
    assert rows["kind"] == [*(caption.kind for caption in captions), None]
    assert rows["keywords"] == [*([keyword.word for keyword in caption.keywords] for caption in captions), []]
    plain = CaptionBatches(heads_bundle)({"photo": np.array(names)})
    assert plain["confidence"].dtype == float and np.isnan(plain["confidence"]).tolist() == [False] * 7 + [True]


def test_a_pandas_frame_gives_one(photos, text, tiny_bundle):
    """As Dask's map_partitions and Spark's mapInPandas call it: with columns of their own names."""
    pandas = pytest.importorskip("pandas")
    captions = CaptionBatches(tiny_bundle, photo="path", content="content")
    frame = pandas.DataFrame(
        {
            "path": [f"s3://bucket/{photo.name}" for photo in photos],
            "content": [photo.read_bytes() for photo in photos],
        },
        index=range(100, 107),
    )
    rows = captions(frame)
    assert isinstance(rows, pandas.DataFrame) and list(rows) == COLUMNS
    assert rows["photo"].tolist() == frame["path"].tolist()
    assert rows["caption"].tolist() == text
    assert list(captions(frame[:0])) == COLUMNS and rows.index.equals(frame.index)
    assert list(captions(pandas.DataFrame({"path": [str(photos[0])]}))["caption"]) == text[:1]


def test_other_columns_and_the_index_are_kept(captions, photos, text):
    pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    others = {"id": [7, 8, 9], "caption": ["one", "two", "three"], "box": [[1.5], [], [2.5]]}
    given = {"photo": [*map(str, photos[:2]), "absent.jpg"], "bytes": [None] * 3, **others}
    kept = [*COLUMNS, "id", "given_caption", "box"]
    expected = [7, 8, 9], ["one", "two", "three"], [[1.5], [], [2.5]]

    rows = captions(dict(given))
    assert list(rows) == kept and tuple(list(rows[name]) for name in kept[len(COLUMNS) :]) == expected

    index = pandas.Index(["x", "y", "x"], name="key")
    frame = captions(pandas.DataFrame(given, index=index))
    assert list(frame) == kept and tuple(frame[name].tolist() for name in kept[len(COLUMNS) :]) == expected
    assert frame.index.equals(index) and frame.index.name == "key" and frame["id"].dtype == "int64"

    table = pa.Table.from_pandas(pandas.DataFrame(given, index=index))
    for batch in (table, table.to_batches()[0], table[:0]):
        result = captions(batch)
        assert type(result) is type(batch) and result.num_rows == batch.num_rows
        assert result.schema.names == [*kept, "key"] and result.schema.field("id").type == pa.int64()
        assert result.to_pandas().index.name == "key" and result["score"].null_count == bool(batch.num_rows)
        assert result["given_caption"].to_pylist() == expected[1][: batch.num_rows]
        assert result["caption"].to_pylist() == [*text[:2], None][: batch.num_rows]


def test_what_is_wrong_with_a_photo_is_its_row(captions, photos, text, tmp_path):
    (bad := tmp_path / "bad.jpg").write_text("no photo")
    names = [bad, tmp_path / "absent.jpg", photos[0], "shard.tar/2.jpg", "shard.tar", "nowhere://a/b.jpg"]
    contents = [None, None, None, b"no photo either", None, None]
    errors = [None, None, None, None, "shard.tar: torn", None]
    rows = captions({"photo": list(map(str, names)), "bytes": contents, "error": errors})
    assert rows["caption"].tolist() == [None, None, text[0], None, None, None]
    assert np.isnan(rows["score"][[0, 1, 3, 4, 5]]).all() and rows["words"][0] == []
    *told, unknown = rows["error"]
    assert told == [
        f"{bad}: not an image that can be read",
        f"{tmp_path / 'absent.jpg'}: no such file",
        None,
        "shard.tar/2.jpg: not an image that can be read",
        "shard.tar: torn",
    ]
    assert unknown.startswith("nowhere://a/b.jpg: cannot be read (")


def test_a_photo_far_away_is_fetched(captions, photos, text):
    fsspec = pytest.importorskip("fsspec")
    names = [f"memory://photos/{number} ü.png" for number in range(3)]
    fsspec.filesystem("memory").pipe({name: photos[number].read_bytes() for number, name in enumerate(names)})
    rows = captions({"photo": [*names, "memory://photos/absent.png"]})
    assert rows["caption"].tolist() == [*text[:3], None]
    assert rows["error"][3] == "memory://photos/absent.png: no such file"


def test_it_travels_by_name_and_every_process_loads_the_model_once(captions):
    packed = pickle.dumps(captions)
    assert len(packed) < 1000
    before = _captioner.cache_info().misses
    assert all(pickle.loads(packed).captioner is captions.captioner for _ in range(3))
    assert _captioner.cache_info().misses == before


def test_a_worker_takes_one_core(captions):
    assert captions.captioner._cores == 1


def test_what_cannot_be_is_said_before_any_batch(tiny_bundle, tmp_path, captions):
    with pytest.raises(SightlineError, match="no such model folder"):
        CaptionBatches(tmp_path / "model")
    with pytest.raises(SightlineError, match="beam size 0"):
        CaptionBatches(tiny_bundle, 0)
    with pytest.raises(SightlineError, match=r"no column 'photo' in a batch of path, size; name one: photo="):
        captions({"path": ["a.jpg"], "size": [1]})
