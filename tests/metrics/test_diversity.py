from sightline.metrics import Corpus, compute
from sightline.metrics.diversity import Endings

WHOLE = ["a dog runs on a dirt road", "a man is in the dirt", "a cat"] * 20


def test_captions_break_off_where_people_go_on():
    endings = Endings(caption.split() for caption in WHOLE)
    told = {
        caption: endings.break_off(caption.split())
        for caption in (
            "a dog runs on a dirt",
            "a cat in the dirt",
            "a dirt cat",
            "a dog runs on a",
            "a",
            "",
            "dirt road",
        )
    }
    assert [caption for caption, broken in told.items() if broken] == ["a dog runs on a dirt", "a dog runs on a"]


def test_one_ending_in_fifty_is_a_way_to_end():
    written = [["a", "dirt", "road"]] * 49
    assert Endings([*written, ["other"]]).break_off(["a", "dirt"])
    assert not Endings([*written, ["a", "dirt"]]).break_off(["a", "dirt"])
    assert not Endings(written[:19]).break_off(["a", "dirt"])  # too few to tell


def test_the_share_of_a_corpus_and_what_few_references_cannot_tell():
    references = tuple([(caption,) for caption in WHOLE])
    hypotheses = ("a dog runs on a dirt", *["a cat in the dirt"] * 59)
    score = compute(Corpus(hypotheses, references), ["broken off"])["broken off"]
    assert score.value == 1 / 60
    assert score.per_photo is not None and score.per_photo.tolist() == [1, *[0] * 59]
    few = compute(Corpus(hypotheses[:2], references[:2]), ["endings"])["broken off"]
    assert few.value is None and "too few references" in few.note
