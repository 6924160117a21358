"""Captions files: every format is recognised, and every fault named with its place and its mend."""

import json
from pathlib import Path

import pytest

from sightline.annotations.caption_files import read_hypotheses, read_references, read_table
from sightline.annotations.records import Collector
from sightline.errors import SightlineError
from sightline.evaluation.pairing import read_pair

ONE = {"1.jpg": "a dog", "2.jpg": "two, cats"}
MANY = {"1.jpg": ["a dog", "the dog"], "2.jpg": ["two, cats"]}
RECORDS = [
    {"image_id": "1.jpg", "id": 7, "caption": "a dog"},
    {"image_id": "2.jpg", "id": 8, "caption": "two, cats"},
    {"image_id": "1.jpg", "id": 9, "caption": "the dog"},
]
REFERENCE_FILES = {
    "COCO annotations": json.dumps({"images": [{"id": "1.jpg"}], "annotations": RECORDS}),
    "COCO results": json.dumps(RECORDS, indent=1),
    "a dictionary of lists": json.dumps(MANY),
    "JSON lines": "\n".join(json.dumps(record) for record in RECORDS) + "\n\n",
    "JSON lines of lists": "\n".join(json.dumps({"image": k, "captions": v}) for k, v in MANY.items()),
    "Flickr8k's CSV": 'image,caption\n1.jpg,a dog\n1.jpg , the dog\n2.jpg,"two, cats"\n',
    "tabs, other columns, a byte order mark": "\ufeffcaption\tsplit\tFilename\r\na dog\tval\t1.jpg\r\n"
    "the dog\tval\t1.jpg\r\n\r\ntwo, cats\tval\t2.jpg\r\n",
    "a comma without quotes": "image,caption\n1.jpg,a dog\n1.jpg,the dog\n2.jpg,two, cats\n",
    "a .token file": "1.jpg#0\ta dog\r\n1.jpg#1\tthe dog\r\n2.jpg#0\ttwo, cats\r\n",
    "pycocoevalcap's dictionary": json.dumps({k: [{"image_id": k, "caption": c} for c in v] for k, v in MANY.items()}),
    "Karpathy's JSON": json.dumps(
        {
            "images": [
                {"filename": k, "split": "test", "imgid": 3, "sentences": [{"raw": c} for c in v]}
                for k, v in MANY.items()
            ]
            + [{"filename": "3.jpg", "split": "restval", "sentences": [{"raw": "of another split"}]}]
        }
    ),
    "Flickr30k's bars": "image_name| comment_number| comment\n1.jpg| 0| a dog\n"
    "1.jpg| 1| the dog\n2.jpg| 0| two, cats\n",
}
HYPOTHESIS_FILES = {
    "COCO results": json.dumps(RECORDS[:2]),
    "a dictionary of captions": json.dumps(ONE, indent=2),
    "a dictionary of lists of one": json.dumps({photo: [caption] for photo, caption in ONE.items()}),
    "JSON lines": "\n".join(json.dumps({"image": k, "caption": v}) for k, v in ONE.items()),
    "what caption --json prints": "\n".join(
        json.dumps({"photo": k, "caption": v, "words": v.split(), "attention": [[[1.0]]]}) for k, v in ONE.items()
    ),
    "CSV": 'image,caption\n1.jpg,a dog\n2.jpg,"two, cats"',
}


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "captions"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("text", REFERENCE_FILES.values(), ids=REFERENCE_FILES.keys())
def test_references_in_every_format(text: str, tmp_path: Path) -> None:
    assert read_references(write(tmp_path, text)) == MANY


@pytest.mark.parametrize("text", HYPOTHESIS_FILES.values(), ids=HYPOTHESIS_FILES.keys())
def test_hypotheses_in_every_format(text: str, tmp_path: Path) -> None:
    assert read_hypotheses(write(tmp_path, text)) == ONE


def test_numbers_name_photos_as_text_does(tmp_path: Path) -> None:
    assert read_hypotheses(write(tmp_path, '[{"image_id": 42, "caption": "a dog"}]')) == {"42": "a dog"}


def test_one_line_of_json_lines(tmp_path: Path) -> None:
    assert read_hypotheses(write(tmp_path, '{"image": "1.jpg", "caption": "a dog"}')) == {"1.jpg": "a dog"}


def test_a_captioner_may_say_nothing(tmp_path: Path) -> None:
    assert read_hypotheses(write(tmp_path, '{"1.jpg": ""}')) == {"1.jpg": ""}


def test_a_caption_may_run_over_lines_in_csv(tmp_path: Path) -> None:
    assert read_hypotheses(write(tmp_path, 'image,caption\n1.jpg,"a\ndog"\n')) == {"1.jpg": "a\ndog"}


FAULTS = {
    "nothing": ("", "empty"),
    "only spaces": (" \n\n", "empty"),
    "no entries": ("[]", "no captions"),
    "no photos": ("{}", "no captions"),
    "a header alone": ("image,caption\n", "no captions"),
    "not text": (b"\xff\xfe\x00", "UTF-8"),
    "no header": ("1.jpg,a dog\n", "begin with image,caption"),
    "plain captions": ("a dog runs\n", "begin with image,caption"),
    "a line without a caption": ("image,caption\n1.jpg\n", r"line 2: not 2 columns \(image, caption\)"),
    "a quote left open": (
        'image,caption\n1.jpg,"a dog"\n2.jpg,"a, b"\n3.jpg,"a cat\n',
        r"line 4: not 2 columns \(image, caption\), or a quote left open; mend that line",
    ),
    "a token line without its number": ("1.jpg#0\ta dog\n2.jpg a cat\n", r"line 2: not photo\.jpg#0, a tab"),
    "a split that is empty": (
        '{"images": [{"filename": "1", "split": "val", "sentences": [{"raw": "a"}]}]}',
        "no photos in its test split; name another",
    ),
    "an odd image": ('{"images": [{"filename": "1", "sentences": [{"raw": "a"}]}, {}]}', r"images\[1\]: needs a"),
    "broken JSON": ('{"1.jpg": "a dog"', "broken JSON"),
    "a broken line": ('{"image": "1", "caption": "a"}\n{"image": "2", "caption"\n', "line 2: broken JSON"),
    "a list of captions": ('["a dog"]', "entry 1: not an object"),
    "no caption field": (
        '[{"image_id": 1, "words": "a dog"}]',
        "entry 1: no field for the caption; it has image_id, words",
    ),
    "no photo field": ('[{"caption": "a dog"}]', "no field for the photo"),
    "a photo that is a list": ('[{"image_id": [1], "caption": "a dog"}]', "entry 1: image_id is neither"),
    "a caption that is a number": ('{"1.jpg": 5}', "'1.jpg' is neither a caption nor a list"),
    "captions among numbers": ('{"1.jpg": ["a dog", 5]}', "'1.jpg' is neither a caption nor a list"),
    "a photo without captions": ('{"1.jpg": []}', "'1.jpg' has no caption"),
    "a photo twice in a dictionary": ('{"1.jpg": "a dog", "1.jpg": "a cat"}', "'1.jpg' stands there twice"),
}


@pytest.mark.parametrize(("text", "said"), FAULTS.values(), ids=FAULTS.keys())
@pytest.mark.parametrize("read", [read_references, read_hypotheses])
def test_faults_are_named_in_one_line(read: object, text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(SightlineError, match=said) as caught:
        read(path)  # type: ignore[operator]
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [json.dumps(RECORDS), json.dumps(MANY), "image,caption\n1.jpg,a\n1.jpg,b\n"])
def test_two_hypotheses_for_a_photo_are_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"'1\.jpg' has more than one hypothesis; keep one"):
        read_hypotheses(write(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"no-such\.json: cannot be read"):
        read_references(tmp_path / "no-such.json")


def test_one_broken_row_in_a_hundred_references_is_left_out_and_told(tmp_path: Path) -> None:
    rows = [f"{number}.jpg| 0| a dog\n" for number in range(100)]
    path = write(tmp_path, "image_name| comment_number| comment\n" + "".join(rows) + "100.jpg| 4   A dog runs\n")
    assert len(read_references(path)) == 100
    with pytest.raises(SightlineError, match=r"captions, line 102: not 3 columns \(.*\), or a quote left open; mend"):
        read_hypotheses(path)
    hypotheses = tmp_path / "mine.json"
    hypotheses.write_text(json.dumps({f"{number}.jpg": "a dog" for number in range(100)}))
    (remark,) = read_pair(hypotheses, path).remarks
    assert remark.startswith(f"left out of {path}: line 102: not 3 columns")
    path.write_text(path.read_text() + "101.jpg| 4   A cat runs\n")
    with pytest.raises(SightlineError, match="line 102"):
        read_references(path)


def test_a_file_whose_photos_all_failed_says_why(tmp_path):
    path = tmp_path / "all failed.csv"
    path.write_text("photo,caption,error\na.jpg,,empty\nb.jpg,,cut off\n")
    with pytest.raises(SightlineError, match=r"all failed.csv: no photo in it has a caption.* a.jpg \(empty\)"):
        read_hypotheses(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "t.jsonl",
            '{"image": "1.jpg", "caption": "a dog"}\n{"image": "2.jpg"\n{"image": "3.jpg", "caption": "a cat"}\n',
        ),
        (
            "t.jsonl",
            '{"image": "1.jpg", "caption": "a dog"}\n{"image": "2.jpg"}\n{"image": "3.jpg", "caption": "a cat"}\n',
        ),
        ("t.csv", "image,caption\n1.jpg,a dog\n2.jpg\n3.jpg,a cat\n"),
        ("t.csv", "image,caption,x\n1.jpg,a dog,\n,a bird,\n3.jpg,a cat,\n"),
    ],
)
def test_a_dataset_collects_the_problem_that_scoring_raises(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    content = read_table(tmp_path / name)
    assert content is not None
    records = Collector().add(name, content).records()
    assert records.captions == {"1.jpg": ("a dog",), "3.jpg": ("a cat",)}
    (place,) = records.unread
    assert records.problem.startswith(place)
    with pytest.raises(SightlineError, match=place.removeprefix(f"{name} ")):
        read_references(tmp_path / name)


def test_a_photo_that_could_not_be_captioned_is_one_without_captions(tmp_path):
    path = tmp_path / "out.jsonl"
    path.write_text('{"photo": "1.jpg", "caption": "a dog"}\n{"photo": "2.jpg", "caption": null, "error": "torn"}\n')
    content = read_table(path)
    assert content is not None
    records = Collector().add(path.name, content).records()
    assert records.captions == {"1.jpg": ("a dog",), "2.jpg": ()} and not records.unread
    assert read_references(path) == {"1.jpg": ["a dog"]}
