"""What each syntax finds in a page, and that texts are inserted with all other bytes as they were."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest

from sightline.alt.page import Page, find_pages, insert, read_page
from sightline.alt.syntax import SYNTAXES, Mention

MISSING = "missing"


def found(suffix: str, text: str) -> list[Mention]:
    return sorted(SYNTAXES[suffix](text), key=lambda mention: mention.start)


def states(suffix: str, text: str) -> list[tuple[str, str, str]]:
    return [(mention.reference, mention.alt, mention.left) for mention in found(suffix, text)]


def written(suffix: str, text: str, alt: str = "a dog", is_draft: bool = False) -> str:
    page = Page(Path("page" + suffix), Path(), text.encode(), text, [(1, one) for one in found(suffix, text)])
    return insert(page, lambda mention: None if mention.left else alt, is_draft).decode()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<img src=a.jpg>", ("a.jpg", MISSING, "")),
        ("<IMG\n\tSRC='a&amp;b.jpg' />", ("a&b.jpg", MISSING, "")),
        ('<img title="1 > 0" src="a.jpg">', ("a.jpg", MISSING, "")),
        ('<img src="a.jpg" alt="x">', ("a.jpg", "text", "")),
        ("<img src=a.jpg alt>", ("a.jpg", "decorative", "")),
        ('<img src="a.jpg" ALT = "">', ("a.jpg", "decorative", "")),
        ('<img src="a.jpg" alt="{{ words }}">', ("a.jpg", "text", "")),
        ('<img src="a.jpg" :alt="words">', ("a.jpg", "text", "")),
        ('<img src="a.jpg" [attr.alt]="words">', ("a.jpg", "text", "")),
        ('<img src="a.jpg" {% if a > b %}alt="x"{% endif %}>', ("a.jpg", MISSING, "computed")),
        ('<img src="{{ url("x.jpg") }}">', ("", MISSING, "computed")),
        ('<img class="{{ c }}" src="a.jpg">', ("a.jpg", MISSING, "")),
        ('<img data-src="a.jpg">', ("", MISSING, "computed")),
        ('<base href="/x/"><img src="a.jpg">', ("a.jpg", MISSING, "computed")),
        ('<a href="/"><span><img src="a.jpg"></span></a>', ("a.jpg", MISSING, "linked")),
        ('<a name="here"><img src="a.jpg"></a>', ("a.jpg", MISSING, "")),
        ('<a href="/">x</a><img src="a.jpg">', ("a.jpg", MISSING, "")),
        ('<button><img src="a.jpg"></button>', ("a.jpg", MISSING, "linked")),
        ('<img src="a.jpg" width="1" height="1">', ("a.jpg", MISSING, "small")),
        ('<img src="a.jpg" width="32px">', ("a.jpg", MISSING, "small")),
        ('<img src="a.jpg" role="presentation">', ("a.jpg", "decorative", "")),
        ('<img src="a.jpg" aria-label="x">', ("a.jpg", "text", "")),
        ('<img src="a.jpg" alt="x" data-alt-source="sightline">', ("a.jpg", "draft", "")),
        ('<!-- <img src="b.jpg"> --><img src="a.jpg">', ("a.jpg", MISSING, "")),
        ("<script>'<img src=b.jpg>'</script><img src=a.jpg>", ("a.jpg", MISSING, "")),
        ('<p title="<img src=b.jpg>"><img src=a.jpg>', ("a.jpg", MISSING, "")),
        ("<?php echo '<img src=b.jpg>' ?><img src=a.jpg>", ("a.jpg", MISSING, "")),
    ],
)
def test_html(text, expected):
    assert states(".html", text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("![](a.jpg)", ("a.jpg", MISSING, "")),
        ('![ ](<a b.jpg> "title (1)")', ("a b.jpg", MISSING, "")),
        ("![](a\\_(1).jpg 'x')", ("a_(1).jpg", MISSING, "")),
        ("![a [nested] text](a.jpg)", ("a.jpg", "text", "")),
        ("![][One  Name]\n\n[one name]: a.jpg 'title'", ("a.jpg", MISSING, "")),
        ("![name]\n\n[name]: <a.jpg>", ("a.jpg", "text", "")),
        ("[![](a.jpg)](page.md)", ("a.jpg", MISSING, "linked")),
        ("[to ![](a.jpg) there][p]\n\n[p]: x.md", ("a.jpg", MISSING, "linked")),
        ("[x](y.md) ![](a.jpg)", ("a.jpg", MISSING, "")),
        ("![]({{ site.url }}/a.jpg)", ("", MISSING, "computed")),
        ("![](a.jpg){: .wide}", ("a.jpg", MISSING, "")),
        ("![x](a.jpg)<!-- alt: sightline -->", ("a.jpg", "draft", "")),
        ("![x](a.jpg){: .wide}<!-- alt: sightline -->", ("a.jpg", "draft", "")),
        ("`![](b.jpg)` ``` ![](c.jpg) ``` ![](a.jpg)", ("a.jpg", MISSING, "")),
        ("\\![](b.jpg) \\` ![](a.jpg) \\`", ("a.jpg", MISSING, "")),
        ("```md\n![](b.jpg)\n````\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("~~~\n![](b.jpg)\n```\n~~~\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("> ```\n> ![](b.jpg)\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("- x\n  ```\n  ![](b.jpg)\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("x\n\n    ![](b.jpg)\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("- x\n\n    ![](a.jpg)", ("a.jpg", MISSING, "")),
        ("---\ncover: '![](b.jpg)'\n---\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("---\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("<!--\n\n![](b.jpg)\n-->\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("<pre>\n\n![](b.jpg)\n</pre>\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("<div>\n- ![](b.jpg)\n\n![](a.jpg)\n\n</div>", ("a.jpg", MISSING, "")),
        ('a <b "c\n\n<img src="a.jpg">', ("a.jpg", MISSING, "")),
        ("[x](y.md)![](a.jpg)", ("a.jpg", MISSING, "")),
        ("# x\n    ![](b.jpg)\n\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("- \n```\n![](b.jpg)\n```\n![](a.jpg)", ("a.jpg", MISSING, "")),
        ("- one `\n- ![](a.jpg) `", ("a.jpg", MISSING, "")),
        ("| x |\n|---|\n| ![](a.jpg) |", ("a.jpg", MISSING, "")),
    ],
)
def test_markdown(text, expected):
    assert states(".md", text) == [expected]
    assert states(".md", text.replace("\n", "\r\n")) == [expected]


def test_mdx():
    text = (
        "import x from './x'\n\n{/* ![](b.jpg) */}\n\n<div>\n![](a.jpg)\n</div>\n\n"
        '<img src={photo} /> <img {...rest} src="c.jpg" /> <img src="d.jpg" alt={words} />'
    )
    expected = [
        ("a.jpg", MISSING, ""),
        ("", MISSING, "computed"),
        ("c.jpg", MISSING, "computed"),
        ("d.jpg", "text", ""),
    ]
    assert states(".mdx", text) == expected
    marked = written(".mdx", "![](a.jpg)", is_draft=True)
    assert marked == "![a dog](a.jpg){/* alt: sightline */}"
    assert [mention.alt for mention in found(".mdx", marked)] == ["draft"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".. image:: a.jpg", [("a.jpg", MISSING, "")]),
        ("x\n\n  .. figure::  a.jpg\n     :width: 90%\n\n     A caption.", [("a.jpg", MISSING, "")]),
        (".. |dog| image:: a.jpg\n   :alt: x", [("a.jpg", "text", "")]),
        (".. image::\n   a.jpg\n   :alt:", [("a.jpg", "decorative", "")]),
        (".. image:: a.jpg\n   :target: x.html", [("a.jpg", MISSING, "linked")]),
        (".. image:: a.jpg\n   :width: 16px", [("a.jpg", MISSING, "small")]),
        ("- .. image:: a.jpg", [("a.jpg", MISSING, "")]),
        ("..  note::\n\n    .. image:: a.jpg", [("a.jpg", MISSING, "")]),
        (".. note::\n\n   .. image:: a.jpg", [("a.jpg", MISSING, "")]),
        (".. code-block:: rst\n\n   .. image:: b.jpg\n\n.. image:: a.jpg", [("a.jpg", MISSING, "")]),
        ("So::\n\n   .. image:: b.jpg\n\n.. image:: a.jpg", [("a.jpg", MISSING, "")]),
        (".. a comment\n   .. image:: b.jpg\n\n.. image:: a.jpg", [("a.jpg", MISSING, "")]),
        ("..\n   .. image:: b.jpg\n\n..\n\n   .. image:: a.jpg", [("a.jpg", MISSING, "")]),
        (".. alt: sightline\n.. image:: a.jpg\n   :alt: x", [("a.jpg", "draft", "")]),
    ],
)
def test_restructured_text(text, expected):
    assert states(".rst", text) == expected
    assert states(".rst", text.replace("\n", "\r\n")) == expected


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        (".html", "<img src='a.jpg'/>", "<img alt='it&#x27;s &lt;1&gt; &#123;&#123;x&#125;&#125;' src='a.jpg'/>"),
        (".md", "![](a.jpg)", r"![it's \<1\> \{\{x\}\}](a.jpg)"),
        (".rst", "  .. image:: a.jpg\r\n", "  .. image:: a.jpg\r\n     :alt: it's <1> {{x}}\r\n"),
        (".rst", ".. image:: a.jpg\n  :width: 90%", ".. image:: a.jpg\n  :alt: it's <1> {{x}}\n  :width: 90%"),
    ],
)
def test_texts_are_escaped(suffix, before, after):
    assert written(suffix, before, "it's <1> {{x}}") == after


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        *((".html", "<img src='a.jpg'>"), (".md", "x ![](a.jpg){.wide} y"), (".mdx", "![](a.jpg 'b') y")),
        *(
            (".rst", ".. image:: a.jpg"),
            (".rst", "\ufeff.. image:: a.jpg\n   :width: 90%\n"),
            (".rst", "- .. image:: a.jpg"),
        ),
    ],
)
def test_drafts_are_found_again(suffix, text):
    marked = written(suffix, text, is_draft=True)
    assert [(one.alt, one.text) for one in found(suffix, marked)] == [("draft", "a dog")]
    assert written(suffix, marked, is_draft=True) == marked


def test_pages_that_are_not_utf8(tmp_path):
    (tmp_path / "a.html").write_bytes(b"caf\xe9 <img src=a.jpg>")
    assert (
        insert(read_page(tmp_path / "a.html", tmp_path), lambda _: "é", False)
        == b'caf\xe9 <img alt="&#233;" src=a.jpg>'
    )


PIECES = {
    ".html": (
        *(
            "<p>caf\u00e9 &amp; <b>x</b>",
            "{{ a < b }}",
            "<!-- <img src=z.jpg> -->",
            "<img src='a.jpg'>",
            '<img alt="" src=b.jpg>',
        ),
        *(
            "<script>let a = '<img src=c.jpg>'</script>",
            "<img\r\n  src=a.jpg\n/>",
            "<a href=x><img src=a.jpg></a>",
            "a < b",
        ),
        *(
            "<img class='{{ c }}' src=a.jpg>",
            '<img src="a.jpg" {% if x > y %}alt="z"{% endif %}>',
            "\u2028",
            "\x00",
            "<b x='",
        ),
    ),
    ".md": (
        *(
            "![](a.jpg)",
            "![x](a.jpg)",
            "`![](b.jpg)`",
            "[![](a.jpg)](x)",
            "![](a.jpg 'it')",
            "![][r]",
            "\n\n[r]: a.jpg\n\n",
        ),
        *(
            "<img src=a.jpg>",
            "*x* \\[ ",
            "```",
            "    ",
            "> ",
            "- ",
            "<!--",
            "-->",
            "{{ x }}",
            "{: .a}",
            "\u00e9",
            "[",
            "]",
            "`",
            "<pre>",
        ),
    ),
    ".rst": (
        *(
            ".. image:: a.jpg",
            "   :width: 1",
            "   :alt: x",
            ".. figure:: a.jpg",
            "   words",
            "x::",
            ".. |a| image:: b.jpg",
            "- ",
        ),
        *(".. comment", "   :target: x", "\u00e9", "", "  ", ".. code-block:: rst", "\t.. image:: a.jpg"),
    ),
}
PIECES[".mdx"] = (*PIECES[".md"], "{", "}", "{/* x */}", "<img src={a} />")


@pytest.mark.parametrize("suffix", PIECES)
def test_all_bytes_but_the_alt_texts_stay(suffix):
    """Over many pages: without what was written, a page is what it was; and a second time, nothing is written."""
    chosen, changed = random.Random(31), 0
    written_text = re.compile(
        r""" alt=(['"])ALTTEXT\1( data-alt-source=\1sightline\1)?|ALTTEXT(<!-- alt: sightline -->)?|"""
        r"""(?:\r\n|\r|\n)[ \t]*:alt: ALTTEXT|<!-- alt: sightline -->|\{/\* alt: sightline \*/\}|"""
        r"""\.\. alt: sightline(?:\r\n|\r|\n)[ \t]*"""
    )
    for number in range(400):
        between = (
            chosen.choice(("\n", "\r\n", "\r", "\n\n"))
            if suffix == ".rst"
            else chosen.choice(("", "\n", "\r\n", " ", "\n\n"))
        )
        text = "\ufeff" * chosen.getrandbits(1) + between.join(
            chosen.choices(PIECES[suffix], k=chosen.randrange(1, 25))
        )
        is_draft = bool(number % 2)
        after = written(suffix, text, "ALTTEXT", is_draft)
        missing = [mention for mention in found(suffix, text) if mention.alt == MISSING and not mention.left]
        assert after.count("ALTTEXT") == len(missing)
        changed += after != text
        assert written_text.sub("", after) == text
        again = [mention for mention in found(suffix, after) if mention.alt == MISSING and not mention.left]
        assert not again, (text, after)
        drafts = [mention for mention in found(suffix, after) if mention.alt == "draft"]
        assert len(drafts) == (len(missing) if is_draft else 0), (text, after)
    assert changed > 100


@pytest.mark.parametrize("suffix", PIECES)
def test_hostile_pages_take_linear_time(suffix):
    """60 kB of each take a tenth of a second; with the square of the length, some would take a minute."""
    parts = (
        *(
            "[",
            "![",
            "![](",
            "![](<",
            "]",
            "![]",
            "[a](",
            "`",
            "` ``",
            "``` `",
            "\\",
            "> ",
            "- ",
            "(",
            "![](a '",
            '![](a "(',
        ),
        *(
            "<",
            "<!--",
            "<a ",
            '<a x="',
            "<a x='\"",
            "<a/",
            "<img src=",
            "<script>",
            "</",
            "{{",
            "{%",
            "{",
            "<pre>",
            "\n\n<a '",
        ),
        *(".. ", ".. image::\n", ".. image:: a\n  b\n", "::\n", ":a:", "|", "[a]: ", "\n", "\n \n", "[a]\n"),
    )
    for part in parts:
        began = time.process_time()
        found(suffix, part * (60_000 // len(part)))
        found(suffix, "![" * 300 + part * 300 + "](a)" * 300)
        assert time.process_time() - began < 3, part


def test_pages_of_a_site(tmp_path):
    for name in ("b.md", "a.html", "c/d.rst", ".git/x.md", "node_modules/x.html", "x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    names = [path.relative_to(tmp_path).as_posix() for path, _ in find_pages([tmp_path, tmp_path / "b.md"])]
    assert names == ["a.html", "b.md", "c/d.rst"]
