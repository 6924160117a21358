"""`sightline compare`: is one result better than another, or may the difference be chance?"""

from __future__ import annotations

import json
from pathlib import Path

import click

from sightline.cli.options import PATH, table_or_json_option
from sightline.cli.streams import put


@click.command()
@click.argument("a", metavar="A", type=PATH)
@click.argument("b", metavar="B", type=PATH)
@table_or_json_option
def compare(a: Path, b: Path, as_json: bool) -> None:
    """Test whether two results on the same photos differ, by the paired bootstrap.

    A: A report. B: Another, of the same photos.

    A and B are folders that `sightline evaluate` wrote, or any with hypotheses.json and references.json. Both are
    tokenized as A was.
    """
    from sightline.evaluation.compare import compare_results
    from sightline.evaluation.report import read_report

    comparison = compare_results(read_report(a), read_report(b))
    if as_json:
        put(*json.dumps({"a": str(a), "b": str(b), **comparison.as_dict()}, indent=2).splitlines())
    else:
        put(f"A  {a}", f"B  {b}", f"{comparison.photos} photos", "", *comparison.table(), "", comparison.verdict)
        put(*(f"note: {note}" for note in comparison.notes))
