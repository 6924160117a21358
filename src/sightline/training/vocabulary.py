"""Choose a training's vocabulary: words, characters or subwords, alone or as an extension of a trained model's."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec
from itertools import chain, pairwise
from typing import Literal

from torch import Tensor

from sightline.data.large.packed import captions_of
from sightline.errors import SightlineError
from sightline.scripts import characters, words_are_separate
from sightline.training.data import TrainingData
from sightline.training.recipe import Recipe, VocabularyRecipe
from sightline.vocabulary import BLANK, SPECIAL_TOKENS, UNKNOWN, Unit, Vocabulary, with_blanks

# The longest subword in characters, and how many subwords of two characters or more a vocabulary has. Where no blanks
# separate words, byte-pair encoding would merge whole phrases; there the number follows the number of characters.
_LONGEST, _LONGEST_UNPARTED = 16, 6
_USUAL, _EACH = 4000, 2
_SENTENCES = 1_000_000  # that SentencePiece samples
_PRIVATE = 0xF0000  # where Unicode's planes for private use begin


def choose_vocabulary(
    recipe: Recipe, data: TrainingData, known: Vocabulary | None, say: Callable[[str], None]
) -> Vocabulary:
    """The vocabulary that a training on ``data`` uses, checked before any model is built.

    ``known`` is that of the model that training starts from; its words keep their ids, new ones follow. Raises as
    `learn_vocabulary`, and where nouns are needed and units are not words, or no training caption has a known word.
    """
    training, examples = recipe.training, data.examples["train"]
    rewards = training.samples_captions
    learned = learn_vocabulary(recipe.vocabulary, lambda: chain.from_iterable(captions_of(examples)), known, say)
    needs_nouns = "hallucination" in training.weighted_penalties() or (rewards and training.attention_supervision)
    if needs_nouns and learned.unit != "words":
        raise SightlineError(
            f"vocabulary.unit: {learned.unit} has no nouns; set training.hallucination_penalty and, with"
            " self_critical, training.attention_supervision to 0"
        )
    vocabulary = extend_vocabulary(known, learned) if known else learned
    if known and (new := vocabulary.words[len(known) :]):
        unit = known.unit[: None if len(new) > 1 else -1]
        line = f"{len(new)} new {unit}: {', '.join(new[:8])}{', ...' * (len(new) > 8)}"
        if rewards:  # of sampled captions, which never have a word that the model does not know
            say(f"{line}; not learned, as only training.objective: cross_entropy teaches words")
            vocabulary = known
        else:
            say(f"{line}; the {len(known)} known ones keep their weights")
    check_learnable(data, vocabulary, recipe.vocabulary.min_count)
    return vocabulary


def learn_vocabulary(
    recipe: VocabularyRecipe,
    captions: Callable[[], Iterable[str]],
    known: Vocabulary | None,
    say: Callable[[str], None],
) -> Vocabulary:
    """The vocabulary of the training ``captions`` alone, which are iterated over several times.

    Args:
        recipe: ``unit: auto`` means words if `words_are_separate`, otherwise subwords.
        known: the vocabulary of the model that training starts from, which decides the unit. Of characters and
            subwords only new characters are returned then: new subwords would change how known words are split.

    Raises:
        SightlineError: subwords are wanted and SentencePiece is not installed, or ``recipe`` wants another unit than
            ``known`` has.
    """
    if known and recipe.unit not in ("auto", known.unit):
        raise SightlineError(
            f"vocabulary.unit: {recipe.unit}, but the model of --init has {known.unit}; set it to auto"
        )
    unit: Unit | Literal["auto"] = known.unit if known else recipe.unit
    parted = known is not None or unit == "words" or words_are_separate(captions())
    if unit == "auto":
        unit = "words" if parted else "subwords"
    if unit == "words":
        return Vocabulary.from_captions(captions(), recipe.min_count)
    texts = Counter(captions())
    written = Counter[str]()
    for caption, times in texts.items():
        written[with_blanks(caption)] += times
    alphabet, after_blanks = _characters(written, recipe.min_count)
    if known:
        return Vocabulary((*SPECIAL_TOKENS, *alphabet), unit)
    if unit == "subwords":
        size, longest = (_USUAL, _LONGEST) if parted else (_EACH * len(alphabet), _LONGEST_UNPARTED)
        more = _subwords(written, recipe.size or size, longest)
    else:
        more = after_blanks
    vocabulary = _often_used(texts, alphabet, more, unit, recipe.min_count)
    say(_summary(texts, vocabulary, recipe, parted))
    return vocabulary


def _characters(written: Counter[str], min_count: int) -> tuple[list[str], list[str]]:
    """The characters that occur ``min_count`` times, and those that do at the start of a word, with `BLANK` before."""
    counts, after_blanks = Counter[str](), Counter[str]()
    for text, times in written.items():
        letters = characters(text)
        for character in letters:
            counts[character] += times
        for before, character in pairwise(letters):
            if before == BLANK:
                after_blanks[BLANK + character] += times
    return _frequent(counts, min_count), _frequent(after_blanks, min_count)


def _frequent(counts: Counter[str], min_count: int) -> list[str]:
    """The units counted ``min_count`` times or more, most frequent first, ties in alphabetical order."""
    return sorted((unit for unit, count in counts.items() if count >= min_count), key=lambda u: (-counts[u], u))


def _subwords(written: Counter[str], size: int, longest: int) -> list[str]:
    """At most ``size`` units of two to ``longest`` characters, by byte-pair encoding (Sennrich et al. 2016)."""
    if not find_spec("sentencepiece"):
        raise SightlineError(
            "subwords of these captions need SentencePiece: pip install sentencepiece, or set vocabulary.unit to"
            " characters"
        )
    import sentencepiece

    codes = {BLANK: " "}  # a private code point for each character with its combining marks: no unit splits one
    for text in written:
        for character in characters(text):
            codes.setdefault(character, chr(_PRIVATE + len(codes)))
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(0)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=("".join(map(codes.__getitem__, characters(text))) for text in written.elements() if text),
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
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    letters = {code: character for character, code in codes.items()} | {BLANK: BLANK}
    codes_of = (pieces.id_to_piece(index) for index in range(1, pieces.get_piece_size()))
    return ["".join(map(letters.__getitem__, piece)) for piece in codes_of if len(piece) > 1]


def _often_used(texts: Counter[str], alphabet: list[str], more: list[str], unit: Unit, min_count: int) -> Vocabulary:
    """The ``alphabet``, and those of the units in ``more`` that occur ``min_count`` times where captions are split."""
    vocabulary = Vocabulary((*SPECIAL_TOKENS, *alphabet, *more), unit)
    counts = Counter(dict.fromkeys(alphabet, 0))
    for caption, times in texts.items():
        for each in vocabulary.units(caption):
            counts[each] += times
    kept = {*alphabet, *(each for each in more if counts[each] >= min_count)}
    return Vocabulary((*SPECIAL_TOKENS, *(each for each in _frequent(counts, 0) if each in kept)), unit)


def _summary(texts: Counter[str], vocabulary: Vocabulary, recipe: VocabularyRecipe, parted: bool) -> str:
    lengths = [(len(vocabulary.units(caption)), times) for caption, times in texts.items()]
    mean = sum(length * times for length, times in lengths) / max(1, texts.total())
    why = "" if parted or recipe.unit != "auto" else "captions have no blanks between words: "
    return f"{why}vocabulary.unit is {vocabulary.unit}, {mean:.1f} a caption"


def extend_vocabulary(known: Vocabulary, learned: Vocabulary) -> Vocabulary:
    """The ``known`` words with their ids, then the new ones of ``learned``, in their order."""
    return Vocabulary(tuple(dict.fromkeys([*known.words, *learned.words])), known.unit)


def extend_weights(
    state: Mapping[str, Tensor], shapes: Mapping[str, Tensor], known: int, words: int
) -> dict[str, Tensor]:
    """Weights for an extended vocabulary: known rows are kept, new words start from the ``<unk>`` row.

    Where a row holds the bias of a score before softmax, all new words and ``<unk>`` share its probability: each gets
    b - log(1 + number of new words). ``state`` is of the trained model, with V ``known``; ``shapes`` of the one to
    fill, with V ``words``: a tensor has a row for each word if its length differs as V does.
    """
    share = math.log(1 + words - known)
    rows = {}
    for name, tensor in state.items():
        rows[name] = tensor
        after = shapes[name].shape if name in shapes else None
        if known < words and tensor.shape[:1] == (known,) and after == (words, *tensor.shape[1:]):
            rows[name] = tensor[UNKNOWN].expand(after).clone()
            rows[name][:known] = tensor
            if tensor.dim() == 1:
                rows[name][[UNKNOWN, *range(known, words)]] -= share
    return rows


def check_learnable(data: TrainingData, vocabulary: Vocabulary, min_count: int) -> None:
    """Raise `SightlineError` where no training caption has a word of ``vocabulary``, and say why."""
    known, counts = set(vocabulary.words), Counter[str]()
    for captions in captions_of(data.examples["train"]):
        words = [word for caption in captions for word in vocabulary.units(caption)]
        if not known.isdisjoint(words):
            return
        counts.update(words)
    if not counts:
        raise SightlineError(f"{data.name}: nothing to learn from: the training captions hold no word")
    (word, times), *_ = counts.most_common(1)
    if times < min_count:
        reason = (
            f"no word occurs {min_count} times in the training captions; the most frequent, {word!r}, occurs {times};"
            " lower vocabulary.min_count"
        )
    else:  # self-critical training learns no new words
        reason = f"the model of --init knows no word of the training captions, such as {word!r}; name another model"
    raise SightlineError(f"{data.name}: nothing to learn from: {reason}")
