"""What each score counts, in a sentence, and whether more or less of it is better."""

from __future__ import annotations

from typing import NamedTuple

from sightline.metrics import METRICS, is_lower_better, scores_of


class Meaning(NamedTuple):
    """What a score counts; ``better``: "higher", "lower", or empty where neither is or it is not the model's."""

    text: str
    better: str = ""


_NGRAMS = "how many of its {} also stand in a caption that a person wrote; captions that are too short lose"
_BASELINE = "what no model needs, to compare with"
MEANINGS = {
    "BLEU-1": Meaning(_NGRAMS.format("words"), "higher"),
    **{f"BLEU-{n}": Meaning(_NGRAMS.format(f"sequences of up to {n} words"), "higher") for n in (2, 3, 4)},
    "METEOR": Meaning("words that agree with a person's, other forms and synonyms too, in similar order", "higher"),
    "ROUGE-L": Meaning("the longest sequence of words, with gaps, that it shares with a person's caption", "higher"),
    "CIDEr": Meaning("agreement with people's captions, in which words that few photos share count more", "higher"),
    "CIDEr-D": Meaning("CIDEr that repeated words and other lengths do not raise", "higher"),
    "broken off": Meaning("captions that end in the middle of a sentence, such as after “a dirt”", "lower"),
    "distinct-1": Meaning("of all its words, how many are different", "higher"),
    "distinct-2": Meaning("of all its pairs of words, how many are different", "higher"),
    "novel": Meaning("captions that no training caption equals"),
    "vocabulary": Meaning("different words in all captions", "higher"),
    "length": Meaning("words in a caption, on average"),
    "pointing": Meaning("nouns whose attention is strongest on the thing that they name", "higher"),
    "mass": Meaning("how much of a noun's attention lies on the thing that it names", "higher"),
    "evidence pointing": Meaning("nouns whose evidence is strongest on the thing that they name", "higher"),
    "evidence mass": Meaning("how much of a noun's evidence lies on the thing that it names", "higher"),
    "random cell": Meaning(f"pointing at a random place: {_BASELINE}"),
    "middle of photo": Meaning(f"pointing at the middle of the photo: {_BASELINE}"),
    "uniform mass": Meaning(f"mass of attention that is the same everywhere: {_BASELINE}"),
    "hallucinated nouns": Meaning("nouns of the model that none of the photo's captions by people has", "lower"),
    "people's hallucinated nouns": Meaning("nouns of a person's caption that none of the photo's other captions has"),
    "confidence AUC": Meaning("how often a right caption has more confidence than a wrong one; 50 is chance", "higher"),
    "confidence Brier": Meaning(
        "squared difference of confidence from 1 for right captions, 0 for wrong ones", "lower"
    ),
    "calibration error": Meaning("how far confidence is from the share of captions that are right", "lower"),
    "hallucinated nouns, surer half": Meaning(
        "hallucinated nouns in the half of the captions it is surest of", "lower"
    ),
    "true keywords": Meaning("keywords that one of the photo's captions has", "higher"),
    "captions with a hallucinated noun": Meaning("captions with at least one such noun", "lower"),
}


def meaning_of(score: str) -> Meaning:
    """What a score counts; of a plugin's, nothing but which direction is better."""
    if score in MEANINGS:
        return MEANINGS[score]
    is_metrics = any(score in scores_of(metric) for metric in METRICS)
    return Meaning("", ("lower" if is_lower_better(score) else "higher") if is_metrics else "")
