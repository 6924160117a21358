from tools.docs_site.blocks import Block, parts

PAGE = """# Title

    pip install sightline      # a comment
    sightline info

Text, and a list:

- an item

    continued, no code

```python
import sightline
```
    print()

    from x import y

    y()
"""


def blocks(page: str) -> list[Block]:
    return [part for part in parts(page) if isinstance(part, Block)]


def test_blocks_are_found_with_their_language_and_line():
    shell, fenced, python = blocks(PAGE)
    assert shell == Block("sh", ["pip install sightline      # a comment", "sightline info"], 3)
    assert fenced == Block("python", ["import sightline"], 13)
    assert python == Block("python", ["from x import y", "", "y()"], 17)


def test_the_page_is_all_its_parts():
    lines = PAGE.split("\n")
    for part in parts(PAGE):
        first = lines[part.number - 1]
        assert first.strip() == part.lines[0].strip()
    assert "    continued, no code" in next(p for p in parts(PAGE) if "- an item" in p.lines).lines


def test_languages():
    def language(text: str) -> str:
        return blocks(f"\n    {text}\n")[0].language

    assert language("find . -name '*.jpg' | sightline caption -") == "sh"
    assert language('{"captions": []}') == "json"
    assert language("Models:") == "yaml"
    assert language("scores = sightline.score(a, b)") == "python"
    assert language("12 new words: kayak, espresso") == "text"
