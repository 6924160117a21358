"""HTML's `<img>`, also in Markdown and MDX.

A lexer of its own, since `html.parser` takes time with the square of a page's length: half a minute for 60 kB of
``<a ``, with some of the versions of Python that are in use. This one reads every character once, and gives offsets.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

from sightline.alt.syntax import MASK, SOURCE, TEMPLATES, Mention, mask, paragraph_end, register_syntax

SMALL = 64  # pixels a side, below which an image is an icon, a logo or a tracking pixel

_VALUE = r"""\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"'][^\s>]*+))"""
_ATTRIBUTE = re.compile(rf"([^\s/>=]++)(?:{_VALUE})?")
# A name is read without its value only where there is none: else a tag that does not end would be read in 2^n ways.
_TAG = re.compile(rf"<(/?)([a-z][^\s/>]*+)((?:[\s/]++|[^\s/>=]++(?:{_VALUE}|(?!{_VALUE}))|=)*)>", re.IGNORECASE)
_OPENING = re.compile("</?[a-z]", re.IGNORECASE)
_TEXT_ONLY = {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"}
_NAMED = {"a", "button"}  # what an image in them is called, they are called: "to the next page", not what it shows
# As frameworks compute an attribute: :alt, v-bind:alt, [alt], bind:alt.
_COMPUTED = re.compile(r"(?:.*[:.])?\[?(?:attr\.)?alt\]?")


@register_syntax(".html", ".htm", ".xhtml")
def html_images(text: str) -> Iterator[Mention]:
    """The images of an HTML page, or of a template of one."""
    return images(text, mask(text, {"<!--": "-->", **TEMPLATES}))


def images(text: str, masked: str, is_markdown: bool = False) -> Iterator[Mention]:
    """The images of ``masked``; in Markdown, what is no whole tag is text, else it is no page from there on."""
    position, named, has_base = 0, set[str](), False
    end = 0 if is_markdown else len(text)
    while opening := _OPENING.search(masked, position):
        start = opening.start()
        end = paragraph_end(masked, start) if start >= end else end
        if (tag := _TAG.match(masked, start, end)) is None:
            position = end
            continue
        position, name = tag.end(), tag[2].lower()
        if tag[1]:
            named.discard(name)
        elif name in _TEXT_ONLY:
            closing = re.compile(f"</{name}", re.IGNORECASE).search(masked, position)
            position = closing.start() if closing else len(masked)
        elif name == "img":
            yield _image(text, tag, bool(named), has_base)
        elif name in _NAMED and (name != "a" or "href" in tag[3].lower()):
            named.add(name)
        has_base |= name == "base"


def _image(text: str, tag: re.Match[str], is_linked: bool, has_base: bool) -> Mention:
    attributes: dict[str, str] = {}
    quote = '"'
    for found in _ATTRIBUTE.finditer(tag[3]):
        name = found[1].lower()
        attributes.setdefault(name, html.unescape(next(filter(None, found.groups()[1:]), "")))
        if name == "src" and found[3] is not None:
            quote = "'"
    reference = attributes.get("src", "").strip()
    is_computed = any(MASK in name for name in attributes) or MASK in reference or not reference or has_base
    left = "computed" if is_computed else "linked" if is_linked else "small" if _is_small(attributes) else ""
    after = tag.start() + len("<img")

    def insertions(alt: str, is_draft: bool) -> list[tuple[int, str]]:
        mark = f" data-alt-source={quote}{SOURCE}{quote}" * is_draft
        # A template would read braces in an alt text.
        escaped = html.escape(alt, quote=False).replace("{", "&#123;").replace("}", "&#125;")
        escaped = escaped.replace(quote, html.escape(quote))
        return [(after, f" alt={quote}{escaped}{quote}{mark}")]

    alt = _alt(attributes)
    shown = attributes.get("alt", "") if MASK not in attributes.get("alt", "") else ""
    return Mention(tag.start(), "" if MASK in reference else reference, alt, shown, left, insertions)


def _alt(attributes: dict[str, str]) -> str:
    alt = attributes.get("alt")
    if alt is None and any(_COMPUTED.fullmatch(name) for name in attributes):
        return "text"
    if attributes.get("aria-hidden") == "true" or attributes.get("role") in ("presentation", "none"):
        return "decorative"
    if alt is None:
        return "text" if attributes.keys() & {"aria-label", "aria-labelledby"} else "missing"
    if not alt.strip():
        return "decorative"
    return "draft" if attributes.get("data-alt-source") == SOURCE else "text"


def _is_small(attributes: dict[str, str]) -> bool:
    sides = (re.fullmatch(r"(\d{1,9})(?:px)?", attributes.get(name, "").strip()) for name in ("width", "height"))
    return any(side and int(side[1]) < SMALL for side in sides)
