"""What is generated from the recipe's options: docs/recipe.md and, for editors, recipes/recipe.schema.json.

python tools/recipe_reference.py --write    write both
python tools/recipe_reference.py            check them; status 1 if they differ
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from sightline.nn.decoder import DECODERS
from sightline.training.recipe import Recipe, list_options

ROOT = Path(__file__).parents[1]
INTRODUCTION = """# Recipes

<!-- written by tools/recipe_reference.py --write -->

A recipe is a YAML file of these sections. What it leaves out has its default; `--set training.epochs=3` overrides it;
the full recipe of a training lies in its folder. `sightline train --options` prints these tables. Editors that know
YAML schemas complete and check a recipe beside [recipe.schema.json](../recipes/recipe.schema.json) that begins with

    # yaml-language-server: $schema=recipe.schema.json
"""


def page() -> str:
    """The reference page in Markdown."""
    lines = [INTRODUCTION]
    for section, (summary, options) in list_options(DECODERS.own()).items():
        of_decoder = options[0].key == "decoder.name"
        lines += [f"## {f'decoder, name: {section}' if of_decoder else section}", "", summary, ""]
        lines += ["| option | default | values | what it does |", "|---|---|---|---|"]
        for option in options:
            values = option.values.replace("|", "\\|")
            lines.append(f"| `{option.key}` | `{option.default}` | {values} | {option.description} |")
        lines.append("")
    return "\n".join(lines)


def schema() -> str:
    """The JSON schema of a recipe."""
    made = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **without_titles(Recipe.model_json_schema()),
        "title": "Sightline recipe",
    }
    return json.dumps(made, indent=2) + "\n"


def without_titles(schema: Any) -> Any:
    """A schema without the titles that pydantic makes from names."""
    if isinstance(schema, dict):
        return {key: without_titles(inner) for key, inner in schema.items() if key != "title"}
    return [without_titles(inner) for inner in schema] if isinstance(schema, list) else schema


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    for path, text in ((ROOT / "docs/recipe.md", page()), (ROOT / "recipes/recipe.schema.json", schema())):
        if write:
            path.write_text(text, encoding="utf-8")
        elif not path.is_file() or path.read_text(encoding="utf-8") != text:
            sys.exit(
                f"{path.relative_to(ROOT)} differs from the recipe's options; run tools/recipe_reference.py --write"
            )


if __name__ == "__main__":
    main()
