"""Tables of captions: a header, then one row a line, with cells separated by a comma, semicolon, tab or bar.

A file is read as quoted if more rows have cells in quotes, whose inner quotes are doubled, than have a quote left open,
text beside a quoted cell, or an unquoted delimiter in the caption; in any other file a quote is an ordinary character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple

from sightline.images.columns import caption_columns, find_column, plain_column
from sightline.images.formats import is_photo


class Table(NamedTuple):
    """A table that names photos and captions.

    Attributes:
        columns: their names, as `plain_column` has them.
        photo: the column that names the photo.
        captions: the columns of its captions; unquoted delimiters beyond the last column belong to a single one.
        lines: the line a row begins on and its cells, stripped, in the order of ``columns``; None for the cells where
            the line makes no sense. Blank rows are left out. To be iterated once: a million would fill memory.
    """

    columns: tuple[str, ...]
    photo: str
    captions: tuple[str, ...]
    lines: Iterable[tuple[int, list[str] | None]]


def parse_table(text: str, photo_names: Sequence[str]) -> Table | None:
    """The table in ``text``; None if its first line names no column for the photo or none for the caption.

    Of the photo's lower-case names, the first one present is used, see `sightline.images.columns.find_column`.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    header = text.partition("\n")[0]
    for delimiter in ",;\t|":
        columns = _apart(plain_column(cell.strip(' "')) for cell in header.split(delimiter))
        photo, captions = find_column(photo_names, columns), caption_columns(columns)
        if photo and captions:
            at = columns.index(photo), columns.index(captions[-1])
            reader = _Reader(text, delimiter, len(columns), *at, several=len(captions) > 1)
            return Table(columns, photo, captions, islice(reader.rows(), 1, None))
    return None


def _apart(columns: Iterable[str]) -> tuple[str, ...]:
    """The columns' names with a number after those that stand there again."""
    names: list[str] = []
    for column in columns:
        again = sum(name == column for name in names)
        names.append(f"{column}_{again + 1}" if again else column)
    return tuple(names)


class _Reader:
    """Reads one text as quoted or unquoted, whichever more rows speak for."""

    def __init__(self, text: str, delimiter: str, width: int, photo: int, caption: int, several: bool) -> None:
        self.text, self.delimiter, self.width, self.several = text, delimiter, width, several
        self.photo, self.caption = photo, caption
        self.rows_for = self.rows_against = 0
        end = re.escape(delimiter)
        self._cell = re.compile(rf' *(?:"((?:[^"]++|"")*)" *|((?!")[^{end}\n]*+))(?:{end}|(\Z))')

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Line and cells of every row that is not blank, including the header."""
        quoted = '"' in self.text
        if quoted:
            for _ in self._rows(quoted=True):
                pass
            quoted = self.rows_for > self.rows_against
        yield from self._rows(quoted)

    def _rows(self, quoted: bool) -> Iterator[tuple[int, list[str] | None]]:
        at, line, length = 0, 1, len(self.text)
        while at < length:
            end = self._line_end(at)
            content = self.text[at:end]
            lines = 1
            if quoted and '"' in content:
                cells, end = self._quoted(at, end)
                lines += self.text.count("\n", at, end)
            else:
                parts = content.split(self.delimiter)
                cells = self._fit([cell.strip() for cell in parts], parts)
            if cells is None or any(cells):
                yield line, cells
            line += lines
            at = end + 1

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def _fit(self, cells: list[str], parts: list[str]) -> list[str] | None:
        """As many cells as columns: those beyond belong to the caption, unchanged; None if that cannot be."""
        extra = len(cells) - self.width
        if extra > 0 and self.caption == self.width - 1 and not any(cells[self.width :]):
            del cells[self.width :]  # delimiters at the line's end
        elif extra > 0:
            self.rows_against += 1
            if self.several:  # nobody can tell to which of them the delimiters belong
                return None
            end = self.caption + extra + 1
            cells[self.caption : end] = [self.delimiter.join(parts[self.caption : end]).strip()]
        return cells if extra >= 0 or not any(cells) else None

    def _quoted(self, at: int, line_end: int) -> tuple[list[str] | None, int]:
        """The cells of the quoted row at ``at``, and its end; None and the line's end if it makes no sense."""
        end, quotes = line_end, self.text.count('"', at, line_end)
        cells = self._cells(self.text[at:end])
        if cells is None and quotes % 2:  # the last cell may go on in the lines below
            while quotes % 2 and end < len(self.text):
                start, end = end + 1, self._line_end(end + 1)
                quotes += self.text.count('"', start, end)
            row = self.text[at:end]
            cells = None if quotes % 2 or self._has_rows_inside(row) else self._cells(row)
        if cells is None:
            cells, end = self._cells(self.text[at:line_end], undoubled=True), line_end
        self.rows_against += cells is None
        return cells, end

    def _cells(self, row: str, undoubled: bool = False) -> list[str] | None:
        """A quoted row's cells; ``undoubled``: the quotes inside the last one may not be doubled."""
        cells, starts, has_quotes, at, last = list[str](), list[int](), False, 0, None
        while last is None and (match := self._cell.match(row, at)):
            quoted, plain, last = match.groups()
            if quoted is None:
                cells.append(plain.strip())
            else:
                has_quotes = True
                cells.append(quoted.replace('""', '"').strip())
            starts.append(at)
            at = match.end()
        if last is None:
            rest = row[at:].strip(" ")
            if not undoubled or len(cells) != self.width - 1 or len(rest) < 2 or rest[-1] != '"':
                return None
            return [*cells, rest[1:-1].replace('""', '"').strip()]
        if len(cells) != self.width:
            if not any(cells[self.width :]):
                del cells[self.width :]
            parts = [row[start : end - 1] for start, end in pairwise([*starts, len(row) + 1])]
            of_caption = parts[self.caption : self.caption + len(cells) - self.width + 1]
            if len(cells) > self.width and any(part.lstrip(" ").startswith('"') for part in of_caption):
                return None
            fitted = self._fit(cells, parts)
            self.rows_for += has_quotes and fitted is not None
            return fitted
        self.rows_for += has_quotes
        return cells

    def _has_rows_inside(self, row: str) -> bool:
        """Whether a line of ``row``, several lines, is a row with a photo and a caption of its own."""
        names = list(map(self._photo_in, row.split("\n")))
        # This row's own photo is in the last line if its column follows the caption's.
        own = names.pop(-1 if self.photo > self.caption else 0)
        return any(name.isdigit() if own.isdigit() else is_photo(name) for name in names)

    def _photo_in(self, line: str) -> str:
        """The cell that names the photo if the line is an unquoted row; "" if the line is too short for one."""
        cells = line.split(self.delimiter)
        if len(cells) <= max(self.photo, self.caption):
            return ""
        # Counted from the end if the caption comes first, as that may contain delimiters.
        return cells[self.photo - self.width if self.photo > self.caption else self.photo].strip(' "')
