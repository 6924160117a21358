"""An XMP packet and one field in it: found by Expat, changed by replacing its bytes alone, so that all others stay."""

from __future__ import annotations

import codecs
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

from sightline.errors import SightlineError

MAX_BYTES = 8_000_000  # most sidecars have thousands; those that hold a program's masks, some millions
_MAX_DEPTH = 200

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_ROOT, _DESCRIBED, _ITEM, _ABOUT = (f"{_RDF} {name}" for name in ("RDF", "Description", "li", "about"))
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
EMPTY = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
    f' <rdf:RDF xmlns:rdf="{_RDF}">\n </rdf:RDF>\n</x:xmpmeta>\n'
).encode()

_TAG = re.compile(rb"""<(?:[^"'>]++|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = re.compile(rb"""\s+([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
_DECLARED = re.compile(rb"""<\?xml[^>]{,200}?\bencoding\s*=\s*["']([\w.-]+)["']""")
_BOMS = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Field(NamedTuple):
    """A field of XMP: its namespace, the prefix that it usually has, its name, and what its items are in."""

    namespace: str
    prefix: str
    name: str
    container: str = "Alt"  # a text in several languages


DESCRIPTION = Field("http://purl.org/dc/elements/1.1/", "dc", "description")
ALT_TEXT = Field("http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/", "Iptc4xmpCore", "AltTextAccessibility")
SUBJECT = Field("http://purl.org/dc/elements/1.1/", "dc", "subject", "Bag")  # words, in no order


def texts_in(packet: bytes, field: Field) -> dict[str, str]:
    """Language tag -> the field's text in it; ``""`` for a text without a language. Empty texts are left out.

    Raises:
        SightlineError: the packet is no XMP, declares a document type, or is too large; the message names no file.
    """
    return dict(_found(_as_utf8(packet)[0], field).items)


def subjects_in(packet: bytes) -> list[str]:
    """The words of the photo's ``dc:subject``; raises as `texts_in`."""
    return [word for _, word in _found(_as_utf8(packet)[0], SUBJECT).items]


def with_text(packet: bytes, field: Field, text: str, language: str) -> bytes:
    """The packet with ``text`` as the field's default and in ``language``; texts in other languages are kept.

    Raises:
        SightlineError: as `texts_in`.
    """
    utf8, encoding = _as_utf8(packet)
    found = _found(utf8, field)
    there = dict(found.items)
    before = there.get("x-default")
    ours = {tag: _NO_XML.sub("", text) for tag in ("x-default", language)}
    replaced = {"", *map(str.lower, ours)}
    kept = {tag: kept for tag, kept in there.items() if tag.lower() not in replaced and kept != before}
    return _changed(utf8, field, found, [*(ours | kept).items()]).encode(encoding, "xmlcharrefreplace")


def with_subjects(packet: bytes, words: Iterable[str]) -> bytes:
    """The packet with ``words`` behind those in ``dc:subject``, but for what is there already, whatever its case.

    Raises:
        SightlineError: as `texts_in`.
    """
    utf8, encoding = _as_utf8(packet)
    found = _found(utf8, SUBJECT)
    there = {"", *(word.strip().casefold() for _, word in found.items)}
    items = found.items.copy()
    for word in (_NO_XML.sub("", word).strip() for word in words):
        if word.casefold() not in there:
            there.add(word.casefold())
            items.append(("", word))
    if items == found.items:
        return packet
    return _changed(utf8, SUBJECT, found, items).encode(encoding, "xmlcharrefreplace")


def _found(utf8: bytes, field: Field) -> _Found:
    return _in_empty(field) if utf8 == EMPTY else _Search(utf8, field).found


@functools.cache
def _in_empty(field: Field) -> _Found:
    """What is found in the packet of most photos, which had none."""
    return _Search(EMPTY, field).found


def _changed(utf8: bytes, field: Field, found: _Found, items: Sequence[tuple[str, str]]) -> str:
    """The packet with the field's ``items``, each with its language or ``""``, in place of those that were found."""
    changed = found.replaced(utf8, _description(field, items, found.about))
    if _Search(changed, field).found.items != items:
        raise SightlineError("the XMP in it is written in a way that is not understood; write it by another program")
    return changed.decode()


def _description(field: Field, items: Iterable[tuple[str, str]], about: str) -> bytes:
    """An element of RDF with the field alone, which declares the prefixes that it uses."""
    name, container = f"{field.prefix}:{field.name}", f"rdf:{field.container}"
    tags = [(f" xml:lang={quoteattr(language)}" if language else "", text) for language, text in items]
    lines = (
        f'\n  <rdf:Description rdf:about={quoteattr(about)} xmlns:rdf="{_RDF}"',
        f'    xmlns:{field.prefix}="{field.namespace}">',
        *(f"   <{name}>", f"    <{container}>"),
        *(f"     <rdf:li{language}>{escape(text, _RETURN)}</rdf:li>" for language, text in tags),
        *(f"    </{container}>", f"   </{name}>"),
        "  </rdf:Description>",
    )
    return "\n".join(lines).encode()


_RETURN = {"\r": "&#13;"}  # which readers of XML would make a line feed of


def _as_utf8(packet: bytes) -> tuple[bytes, str]:
    """The packet in UTF-8, and the encoding it was in."""
    if len(packet) > MAX_BYTES:
        raise SightlineError(f"larger than {MAX_BYTES // 1_000_000} MB, the limit for XMP; look at what is in it")
    declared = _DECLARED.match(packet.removeprefix(codecs.BOM_UTF8))
    encoding = _BOMS.get(packet[:2]) or (declared[1].decode() if declared else "utf-8")
    try:
        return packet.decode(encoding).encode(), encoding
    except (LookupError, ValueError):
        raise SightlineError(f"not in {encoding}, as XMP that says so must be; mend it or move it away") from None


@dataclass
class _Found:
    """Where a field is in a packet of UTF-8.

    Attributes:
        items: each one's language tag, or ``""``, and its text.
        spans: where the bytes begin and end that hold the field now.
        about: the photo as the packet's descriptions name it, nearly always ``""``.
        end: where RDF's end tag begins; or, ``is_empty``, where ``<rdf:RDF/>`` ends, which has none.
        tag: the name of that tag, nearly always ``rdf:RDF``.
    """

    items: list[tuple[str, str]] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    about: str = ""
    end: int = 0
    is_empty: bool = False
    tag: bytes = b""

    def replaced(self, packet: bytes, description: bytes) -> bytes:
        """The packet without the field's bytes, and with a new description of the photo at the end."""
        if self.is_empty:
            head, rest = packet[: self.end - len(b"/>")] + b">", b"\n</%s>" % self.tag + packet[self.end :]
        else:
            at = len(packet[: self.end].rstrip())  # in front of the tag's own line
            head, rest = packet[:at], packet[at:]
        starts, ends = [0, *(end for _, end in self.spans)], [*(start for start, _ in self.spans), len(head)]
        kept = (head[start:end] for start, end in zip(starts, ends, strict=True))
        return b"".join((*kept, description, rest))


class _Search:
    """Finds a field by Expat's events over a packet of UTF-8; raises `SightlineError` where that is no XMP."""

    def __init__(self, packet: bytes, field: Field) -> None:
        self.found = _Found()
        self._packet, self._name = packet, f"{field.namespace} {field.name}"
        self._path: list[str] = []  # the names, with their namespaces, of all elements that are open
        self._top, self._is_over = 0, False  # RDF's element: its depth, and whether it was closed
        self._start, self._language, self._text = -1, "", list[str]()  # the field's: where it is; of its present item
        self._description, self._spans, self._others = 0, 0, 0  # where it is; spans before it; what else is in it
        self._parser = parser = expat.ParserCreate("utf-8", " ")  # whatever encoding the packet declares
        parser.namespace_prefixes = parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_document_type
        parser.StartElementHandler, parser.EndElementHandler = self._open, self._close
        parser.CharacterDataHandler = self._characters
        try:
            parser.Parse(packet, True)
        except expat.ExpatError as error:
            reason = f"{expat.errors.messages[error.code]}, line {error.lineno}"
            raise SightlineError(f"not XMP ({reason}); mend it or move it away") from None
        if not self._is_over:
            raise SightlineError("not XMP (no rdf:RDF in it); mend it or move it away")

    def _refuse_document_type(self, *_: object) -> None:
        raise SightlineError("it declares a document type, which no XMP does and could fill memory; move it away")

    def _open(self, qualified: str, attributes: dict[str, str]) -> None:
        self._path.append(name := _without_prefix(qualified))
        depth = len(self._path)
        if depth > _MAX_DEPTH:
            raise SightlineError(f"not XMP (more than {_MAX_DEPTH} elements in each other); mend it or move it away")
        if self._is_over:
            return
        if not self._top:
            if name == _ROOT:
                self._top, tag = depth, self._tag()
                self.found.tag, self.found.is_empty = tag[1:].split()[0].rstrip(b"/>"), tag.endswith(b"/>")
        elif depth == self._top + 1 and name == _DESCRIBED:
            self._description, self._spans = self._parser.CurrentByteIndex, len(self.found.spans)
            self._read_attributes(attributes)
        elif depth == self._top + 2 and name == self._name and self._path[-2] == _DESCRIBED:
            self._start, self._text = self._parser.CurrentByteIndex, []
        elif depth == self._top + 2:
            self._others += 1
        elif self._start >= 0 and name == _ITEM:
            self._language, self._text = attributes.get(f"{_LANGUAGE} xml", ""), []

    def _close(self, _: str) -> None:
        depth, name = len(self._path), self._path.pop()
        if self._is_over:
            return
        if self._start >= 0 and (name == _ITEM or depth == self._top + 2):
            # What is beside the items, or no item at all, has no language.
            self._add_text(self._language if name == _ITEM else "")
        if self._start >= 0 and depth == self._top + 2:
            self.found.spans.append((self._start, self._end_of_element(self._start)))
            self._start = -1
        elif depth == self._top + 1 and name == _DESCRIBED and not self._others and self.found.spans[self._spans :]:
            # Nothing but the field is in it, as in one that an earlier run wrote.
            blank = self._description - 1
            while self._packet[blank : blank + 1].isspace():
                blank -= 1
            self.found.spans[self._spans :] = [(blank + 1, self._end_of_element(self._description))]
        elif depth == self._top:
            self._is_over, self.found.end = True, self._parser.CurrentByteIndex

    def _characters(self, text: str) -> None:
        if self._start >= 0:
            self._text.append(text)

    def _add_text(self, language: str) -> None:
        if (text := "".join(self._text)).strip():
            self.found.items.append((language, text))
        self._text = []

    def _read_attributes(self, attributes: dict[str, str]) -> None:
        """A description may have a text as an attribute, as in XMP's short form."""
        self._others = 0
        for qualified, value in attributes.items():
            name = _without_prefix(qualified)
            if name == _ABOUT:
                self.found.about = value
            elif name == self._name:
                if value.strip():
                    self.found.items.append(("", value))
                written = qualified.rpartition(" ")[2] + ":" + self._name.rpartition(" ")[2]
                self.found.spans.extend(_attribute(self._tag(), written.encode(), self._description))
            else:
                self._others += 1

    def _tag(self) -> bytes:
        tag = _TAG.match(self._packet, self._parser.CurrentByteIndex)
        return tag[0] if tag else b""

    def _end_of_element(self, start: int) -> int:
        """Where the element that is being closed ends: Expat is at its end tag, or, of an empty one, behind it."""
        start_tag = _TAG.match(self._packet, start)
        if start_tag and start_tag[0].endswith(b"/>"):
            return start_tag.end()
        return self._packet.index(b">", self._parser.CurrentByteIndex) + 1


def _attribute(tag: bytes, name: bytes, offset: int) -> Iterator[tuple[int, int]]:
    for match in _ATTRIBUTE.finditer(tag):
        if match[1] == name:
            yield offset + match.start(), offset + match.end()


def _without_prefix(qualified: str) -> str:
    """``namespace local`` of Expat's ``namespace local prefix``."""
    return " ".join(qualified.split(" ")[:2])
