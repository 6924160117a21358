"""From training captions to a vocabulary: of words, of characters, or of subwords that SentencePiece finds."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, pairwise, repeat

from sightline.errors import SightlineError
from sightline.scripts import are_parted, characters
from sightline.training.recipe import VocabularyRecipe
from sightline.vocabulary import BLANK, SPECIAL_TOKENS, Split, Vocabulary, with_blanks

# Characters in a subword, and in a vocabulary subwords of two characters or more. Where no blanks part words, byte-pair
# encoding goes on to phrases; a small language, such as one of templates, has few characters as it has few words.
_LONGEST, _LONGEST_UNPARTED = 16, 6
_USUAL, _EACH = 4000, 2
_SENTENCES = 1_000_000  # that SentencePiece looks at
_PRIVATE = 0xF0000  # where Unicode's planes for private use begin


def learn_vocabulary(
    recipe: VocabularyRecipe,
    captions: Callable[[], Iterable[str]],
    known: Vocabulary | None,
    say: Callable[[str], None],
) -> Vocabulary:
    """The vocabulary that ``captions`` call for, without what a model that is there knows beside.

    Args:
        recipe: ``unit`` auto takes words where `are_parted`, and otherwise subwords, which ``say`` is told.
        captions: gives the training captions anew at each call.
        known: the vocabulary of a model that is there. It says how captions are split; of units, only new characters
            are met then, as new subwords would have known words written otherwise.
        say: told a line where captions are split into units.

    Raises:
        SightlineError: subwords are wanted and SentencePiece is not installed, or ``recipe`` splits otherwise than
            ``known``.
    """
    if known and recipe.unit not in ("auto", known.split):
        raise SightlineError(
            f"vocabulary.unit: {recipe.unit}, but the model of --init writes {known.split}; set it to auto"
        )
    split, parted = _split(recipe, known, captions)
    if split == "words":
        return Vocabulary.from_captions(captions(), recipe.min_count)
    texts = Counter(captions())
    written = Counter[str]()
    for caption, times in texts.items():
        written[with_blanks(caption)] += times
    alphabet, after_blanks = _characters(written, recipe.min_count)
    if known:
        return Vocabulary((*SPECIAL_TOKENS, *alphabet), split)
    if split == "subwords":
        size, longest = (_USUAL, _LONGEST) if parted else (_EACH * len(alphabet), _LONGEST_UNPARTED)
        more = _subwords(written, recipe.size or size, longest)
    else:
        more = after_blanks
    vocabulary = _often_used(texts, alphabet, more, split, recipe.min_count)
    say(_told(texts, vocabulary, recipe, parted))
    return vocabulary


def _split(
    recipe: VocabularyRecipe, known: Vocabulary | None, captions: Callable[[], Iterable[str]]
) -> tuple[Split, bool]:
    """How captions are to be split, and, unless it is into words for other reasons, whether they are parted."""
    if known:
        return known.split, True
    if recipe.unit == "words":
        return "words", True
    parted = are_parted(captions())
    if recipe.unit == "auto":
        return ("words" if parted else "subwords"), parted
    return recipe.unit, parted


def _characters(written: Counter[str], min_count: int) -> tuple[list[str], list[str]]:
    """The characters that stand ``min_count`` times, and those that stand as often at a word's beginning, marked so."""
    counts, after_blanks = Counter[str](), Counter[str]()
    for text, times in written.items():
        found = characters(text)
        for character in found:
            counts[character] += times
        for before, character in pairwise(found):
            if before == BLANK:
                after_blanks[BLANK + character] += times
    return _frequent(counts, min_count), _frequent(after_blanks, min_count)


def _frequent(counts: Counter[str], min_count: int) -> list[str]:
    """What was counted often enough, most frequent first, ties by alphabet."""
    return sorted((unit for unit, count in counts.items() if count >= min_count), key=lambda u: (-counts[u], u))


def _subwords(written: Counter[str], size: int, longest: int) -> list[str]:
    """At most ``size`` units of two to ``longest`` characters, by byte-pair encoding (Sennrich et al. 2016).

    SentencePiece is shown one code point for each character with its marks, so that no unit ends within one.
    """
    if not find_spec("sentencepiece"):
        raise SightlineError(
            "these captions are to be written in subwords, which SentencePiece finds: pip install sentencepiece, or set"
            " vocabulary.unit to characters"
        )
    import sentencepiece

    codes = {BLANK: " "}
    for text in written:
        for character in characters(text):
            codes.setdefault(character, chr(_PRIVATE + len(codes)))
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(0)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_encoded(written, codes),
        model_writer=model,
        model_type="bpe",
        vocab_size=size + len(codes) + 1,
        hard_vocab_limit=False,
        max_sentencepiece_length=longest,
        input_sentence_size=_SENTENCES,
        max_sentence_length=1 << 16,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=3,
    )
    found = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    letters = {code: character for character, code in codes.items()} | {BLANK: BLANK}
    pieces = (found.id_to_piece(index) for index in range(1, found.get_piece_size()))
    return ["".join(map(letters.__getitem__, piece)) for piece in pieces if len(piece) > 1]


def _encoded(written: Counter[str], codes: dict[str, str]) -> Iterator[str]:
    each = (("".join(map(codes.__getitem__, characters(text))), times) for text, times in written.items() if text)
    return chain.from_iterable(repeat(text, times) for text, times in each)


def _often_used(texts: Counter[str], alphabet: list[str], more: list[str], split: Split, min_count: int) -> Vocabulary:
    """All of the ``alphabet``, and of the units that are ``more`` those that captions are written in often enough."""
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *alphabet, *more), split)
    counts = Counter(dict.fromkeys(alphabet, 0))
    for caption, times in texts.items():
        for unit in vocabulary.units(caption):
            counts[unit] += times
    kept = {*alphabet, *(unit for unit in more if counts[unit] >= min_count)}
    return Vocabulary((*SPECIAL_TOKENS, *(unit for unit in _frequent(counts, 0) if unit in kept)), split)


def _told(texts: Counter[str], vocabulary: Vocabulary, recipe: VocabularyRecipe, parted: bool) -> str:
    lengths = Counter[int]()
    for caption, times in texts.items():
        lengths[len(vocabulary.units(caption))] += times
    mean = sum(length * times for length, times in lengths.items()) / max(1, lengths.total())
    cut = sum(times for length, times in lengths.items() if length > recipe.max_words) / max(1, lengths.total())
    why = "" if parted or recipe.unit != "auto" else "the captions do not part their words: "
    told = f"{why}vocabulary.unit is {vocabulary.split}, {mean:.1f} a caption"
    return told + f"; {cut:.0%} of captions are cut off at vocabulary.max_words: {recipe.max_words}" * (cut >= 0.005)
