"""XMP packets of every form: the text changes, everything else keeps its bytes; what is no XMP is refused."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sightline.errors import SightlineError
from sightline.writers.packet import (
    ALT_TEXT,
    DESCRIPTION,
    EMPTY,
    MAX_BYTES,
    subjects_in,
    texts_in,
    with_subjects,
    with_text,
)

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
DC = 'xmlns:dc="http://purl.org/dc/elements/1.1/"'


def packet(inner: str, rdf: str = "rdf") -> bytes:
    return (
        f'<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n<!-- kept --><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<{rdf}:RDF xmlns:{rdf}="{RDF}">{inner}</{rdf}:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


LANGUAGES = (
    f'<rdf:Description rdf:about="uuid:1" {DC}><dc:title><rdf:Alt><rdf:li xml:lang="x-default">T</rdf:li></rdf:Alt>'
    '</dc:title><dc:description><rdf:Alt><rdf:li xml:lang="x-default">a &lt;dog&gt;</rdf:li>'
    '<rdf:li xml:lang="en-GB">a &lt;dog&gt;</rdf:li><rdf:li xml:lang="fr">un &#13; chien</rdf:li></rdf:Alt>'
    "</dc:description></rdf:Description>"
)
FORMS = {
    "new": (EMPTY, {}),
    "no description": (packet(""), {}),
    "an empty RDF": (f'<rdf:RDF xmlns:rdf="{RDF}" />'.encode(), {}),
    "other fields": (packet(f'<rdf:Description rdf:about="" {DC} dc:format="image/jpeg"/>'), {}),
    "an empty text": (packet(f"<rdf:Description {DC}><dc:description/></rdf:Description>"), {}),
    "languages": (packet(LANGUAGES), {"x-default": "a <dog>", "en-GB": "a <dog>", "fr": "un \r chien"}),
    "the short form": (
        packet(f'<rdf:Description {DC} dc:format=\' dc:description="no"\' dc:description = "a > b"/>'),
        {"": "a > b"},
    ),
    "plain text": (
        packet(f"<rdf:Description {DC}><dc:description>a dog</dc:description></rdf:Description>"),
        {"": "a dog"},
    ),
    "other prefixes": (
        packet(
            '<r:Description xmlns:d="http://purl.org/dc/elements/1.1/"><d:description><r:Alt>'
            '<r:li xml:lang="x-default">a dog</r:li></r:Alt></d:description></r:Description>',
            rdf="r",
        ),
        {"x-default": "a dog"},
    ),
    "a description within another field": (
        packet(
            f"<rdf:Description {DC}><dc:relation><rdf:Description><dc:description>of another photo</dc:description>"
            "</rdf:Description></dc:relation></rdf:Description>"
        ),
        {},
    ),
    "UTF-16": (("\ufeff" + EMPTY.decode().replace("UTF-8", "UTF-16")).encode("utf-16-be"), {}),
    "Latin-1": (EMPTY.replace(b"UTF-8", b"ISO-8859-1").replace(b"</x:x", b"<!-- \xe9 --></x:x"), {}),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_text_is_found_and_changed_in_every_form(form):
    before, texts = FORMS[form]
    assert texts_in(before, DESCRIPTION) == texts
    after = with_text(before, DESCRIPTION, "a döġ & <cat>\0", "en")
    kept = {"fr": texts["fr"]} if "fr" in texts else {}
    assert texts_in(after, DESCRIPTION) == {"x-default": "a döġ & <cat>", "en": "a döġ & <cat>", **kept}
    assert with_text(after, DESCRIPTION, "a döġ & <cat>", "en") == after, "nothing grows"
    # Another reader of XML, which reads each encoding, finds the same items once.
    items = [item.text for item in ElementTree.fromstring(after).iter(f"{{{RDF}}}li")]
    assert items.count("a döġ & <cat>") == 2 and "a <dog>" not in items


def test_all_other_bytes_stay():
    before = packet(LANGUAGES)
    start, end = before.index(b"<dc:description"), before.index(b"</dc:description>") + len(b"</dc:description>")
    after = with_text(before, DESCRIPTION, "a cat", "en")
    tail = before.index(b"</rdf:RDF>")
    assert after.startswith(before[:start] + before[end:tail]) and after.endswith(before[tail:])
    assert after.count(b'rdf:about="uuid:1"') == 2, "all descriptions in a packet are of one photo"
    both = with_text(after, ALT_TEXT, "a cat sits", "de")
    assert texts_in(both, DESCRIPTION) == texts_in(after, DESCRIPTION)
    assert texts_in(both, ALT_TEXT) == {"x-default": "a cat sits", "de": "a cat sits"}


SUBJECTS = {
    "none": "",
    "a bag": "<dc:subject><rdf:Bag><rdf:li>Dog</rdf:li>\n<rdf:li>a &lt;b&gt;</rdf:li></rdf:Bag></dc:subject>",
    "a list in order": "<dc:subject><rdf:Seq><rdf:li>dog</rdf:li></rdf:Seq></dc:subject>",
    "plain text": "<dc:subject>dog</dc:subject>",
    "empty": "<dc:subject><rdf:Bag/></dc:subject>",
}


@pytest.mark.parametrize("form", SUBJECTS)
def test_subjects_are_added_to_and_none_is_there_twice(form):
    before = packet(f'<rdf:Description rdf:about="" {DC}><dc:format>x</dc:format>{SUBJECTS[form]}</rdf:Description>')
    there = subjects_in(before)
    assert with_subjects(before, []) == before == with_subjects(before, there)
    after = with_subjects(before, ["DOG", "cat\0 & co", "dog", "Cat & co"])
    assert subjects_in(after) == [*(there or ["DOG"]), "cat & co"]
    assert with_subjects(after, ["dog", "cat & co"]) == after, "nothing grows"
    items = [item.text for item in ElementTree.fromstring(after).iter(f"{{{RDF}}}li")]
    assert items == subjects_in(after)
    assert texts_in(after, DESCRIPTION) == {} and b"<dc:format>x</dc:format>" in after
    assert subjects_in(with_text(after, DESCRIPTION, "a dog", "en")) == items


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE = {
    "bomb": (BOMB + EMPTY.partition(b"?>\n")[2], "document type"),
    "external": (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
    "large": (b" " * 50_000_000, "8 MB"),
    "deep": (b"<a>" * 1_000_000, "in each other"),
    "wide": (b"<x>" + b"<a/>" * 50_000 + b"</x>", "no rdf:RDF"),
    "cut off": (EMPTY[:-20], "not XMP"),
    "no XML": (b"\0" * 1000, "not XMP"),
    "a web page": (b"<html/>", "no rdf:RDF"),
    "an encoding that unpacks": (b'<?xml version="1.0" encoding="zip_codec"?><x/>', "zip_codec"),
    "another encoding": (b'<?xml version="1.0" encoding="UTF-8"?><x>\xff</x>', "UTF-8"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_xmp_is_refused(kind):
    content, words = HOSTILE[kind]
    for ask in (
        lambda: texts_in(content, DESCRIPTION),
        lambda: with_text(content, DESCRIPTION, "a dog", "en"),
        lambda: with_subjects(content, ["dog"]),
    ):
        with pytest.raises(SightlineError, match=words):
            ask()


def test_hostile_packets_take_bounded_memory():
    """The worst of a size that is read at all: one tag of names that an XML parser has to know apart."""
    status = Path("/proc/self/status")  # getrusage would tell the peak of the process that started it
    if not status.exists():
        pytest.skip("a process's peak of memory is read from Linux's /proc")
    code = (
        "import re\nfrom sightline.writers.packet import *\n"
        "worst = b'<x ' + b' '.join(b'xmlns:a%x=\"u\"' % n for n in range(MAX_BYTES // 18)) + b'/>'\n"
        "print(MAX_BYTES - len(worst))\n"
        "for content in (worst, b' ' * 50_000_000):\n"
        " try: texts_in(content, DESCRIPTION)\n except SightlineError as error: print(error)\n"
        f"print(int(re.search(r'VmHWM:\\s+(\\d+)', open('{status}').read())[1]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    spare, *errors, peak = done.stdout.splitlines()
    assert 0 <= int(spare) < MAX_BYTES // 10
    assert "no rdf:RDF" in errors[0] and "8 MB" in errors[1]
    assert int(peak) < 600
