"""The captions of the shapes dataset: all true sentences about a photo, and the box that each word names.

An object is a dictionary as `objects.json` keeps it: "color", "shape", "size" and "place" are words of the lists below,
"box" is [x0, y0, x1, y1] in pixels, x1 and y1 exclusive. No two objects of a photo share a color or a shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations
from typing import Any

from sightline.vocabulary import split_words

Object = Mapping[str, Any]
Box = tuple[int, int, int, int]

COLORS = ("red", "green", "blue", "yellow", "purple", "orange")
SHAPES = ("circle", "square", "triangle", "star", "cross")
SIZES = ("small", "large")
# By thirds of the photo: rows from top to bottom, in each the columns from left to right.
PLACES = (
    ("in the top left", "at the top", "in the top right"),
    ("on the left", "in the middle", "on the right"),
    ("in the bottom left", "at the bottom", "in the bottom right"),
)

# One object is above or beside the other if their centres are at least this many pixels apart.
RELATION_DISTANCE = 10


def true_captions(objects: Sequence[Object]) -> tuple[frozenset[str], ...]:
    """The true captions that name every object of a photo, in five sets, one for each kind of sentence; none is empty.

    ``objects``: one, or two whose centres are `RELATION_DISTANCE` apart along an axis.
    """
    if len(objects) == 1:
        return _about_one(objects[0])
    orders = [_about_two(first, second) for first, second in permutations(objects, 2)]
    return tuple(one | other for one, other in zip(*orders, strict=True))


def is_true(caption: str, objects: Sequence[Object]) -> bool:
    """Whether ``caption`` is one of the dataset's sentences and true of the photo's ``objects``.

    It need not name every object: "a red circle" is true beside a blue square too. Case and punctuation are ignored.
    """
    sentence = " ".join(split_words(caption))
    groups = [*map(_about_one, objects), true_captions(objects)]
    return any(sentence in captions for ways in groups for captions in ways)


def pointing_targets(words: Sequence[str], objects: Sequence[Object]) -> dict[int, Box]:
    """Position in ``words`` of each color or shape word -> the box (x0, y0, x1, y1) of the object it names.

    Colors and shapes that no object of the photo has are left out.
    """
    boxes: dict[str, Box] = {item[trait]: tuple(item["box"]) for item in objects for trait in ("color", "shape")}
    return {position: boxes[word] for position, word in enumerate(words) if word in boxes}


def place_of(x: float, y: float, width: int) -> str:
    """The words for the point (x, y) in a square photo ``width`` pixels wide."""
    return PLACES[int(3 * y / width)][int(3 * x / width)]


def _about_one(item: Object) -> tuple[frozenset[str], ...]:
    plain, sized, placed = _noun(item), _noun(item, item["size"]), item["place"]
    return (
        frozenset({plain}),
        frozenset({sized}),
        frozenset({f"{plain} {placed}", f"{sized} {placed}"}),
        frozenset({f"there is {plain}", f"there is {sized}"}),
        frozenset({f"there is {plain} {placed}", f"there is {sized} {placed}"}),
    )


def _about_two(first: Object, second: Object) -> tuple[frozenset[str], ...]:
    one, other = _noun(first), _noun(second)
    relations = _relations(first["box"], second["box"])
    return (
        frozenset(f"{one} {relation} {other}" for relation in relations),
        frozenset(f"{one} is {relation} {other}" for relation in relations),
        frozenset({f"there is {one} and {other}"}),
        frozenset({f"{one} {first['place']} and {other} {second['place']}"}),
        frozenset({f"{one} and {other}", f"{_noun(first, first['size'])} and {_noun(second, second['size'])}"}),
    )


def _noun(item: Object, size: str = "") -> str:
    words = f"{size} {item['color']} {item['shape']}".strip()
    return f"{'an' if words.startswith('orange') else 'a'} {words}"


def _relations(box: Sequence[int], other: Sequence[int]) -> list[str]:
    """Where the object in ``box`` is relative to the one in ``other``; y grows downwards."""
    right, down = ((box[axis] + box[axis + 2] - other[axis] - other[axis + 2]) / 2 for axis in (0, 1))
    relations = {"to the left of": -right, "to the right of": right, "above": -down, "below": down}
    return [relation for relation, distance in relations.items() if distance >= RELATION_DISTANCE]
