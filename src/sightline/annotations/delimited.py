"""Tables of captions: a header, then one row a line, with cells separated by a comma, semicolon, tab or bar.

A cell that opens with a quote is closed if its last quote stands before a delimiter or the line's end, quotes inside it
are doubled, and no line inside it is a row of its own. A file is read as quoted if it has more closed cells than cells
that are left open or contain an unquoted delimiter; then a row with an open cell makes no sense. In any other file a
quote is an ordinary character.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from sightline.images.columns import find_column, plain_column
from sightline.images.formats import is_photo

_DELIMITERS = ",;\t|"

# The line a row begins on, and its cells, stripped; None where the line makes no sense.
Line = tuple[int, list[str] | None]
Row = tuple[int, dict[str, str] | None]


@dataclass(frozen=True)
class Table:
    """A table that names photos and captions.

    Attributes:
        columns: their names, as `plain_column` has them.
        photo: the column that names the photo.
        caption: the column of its caption, to which unquoted delimiters beyond the last column belong.
        lines: line number and cells, in the order of ``columns``, of every row that is not blank; None for the cells
            where the line makes no sense. They can be iterated once: a million rows would fill the memory.
    """

    columns: tuple[str, ...]
    photo: str
    caption: str
    lines: Iterable[Line]

    @property
    def rows(self) -> Iterator[Row]:
        """``lines`` with the cells by column."""
        for number, cells in self.lines:
            yield number, None if cells is None else dict(zip(self.columns, cells, strict=True))


def parse_table(text: str, photo_names: Sequence[str], caption_names: Sequence[str]) -> Table | None:
    """The table in ``text``; None if its first line names no column for the photo or none for the caption.

    Args:
        text: with any of the usual line ends.
        photo_names: lower-case names of the photo's column; the first one present is used (`columns.find_column`).
        caption_names: the same for the caption's.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    header = text.partition("\n")[0]
    for delimiter in _DELIMITERS:
        columns = _header_cells(header, delimiter)
        photo, caption = find_column(photo_names, columns), find_column(caption_names, columns)
        if photo and caption:
            reader = _Reader(text, delimiter, columns, columns.index(photo), columns.index(caption))
            return Table(tuple(columns), photo, caption, islice(reader.rows(), 1, None))
    return None


def _header_cells(header: str, delimiter: str) -> list[str]:
    try:
        cells = next(csv.reader([header], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:  # a line longer than any header
        return []
    return [plain_column(cell) for cell in cells]


class _Reader:
    """Reads one text as quoted or unquoted, whichever fits better.

    ``closed`` counts the cells in quotes, ``against`` the quotes left open and the captions with an unquoted delimiter.
    """

    def __init__(self, text: str, delimiter: str, columns: Sequence[str], photo: int, caption: int) -> None:
        self.text, self.delimiter, self.width = text, delimiter, len(columns)
        self.photo, self.caption = photo, caption
        self.closed = self.against = 0
        end = re.escape(delimiter)
        self._quoted_cell = re.compile(rf' *"((?:[^"]++|"")*+)" *(?={end}|\n|\Z)')
        self._only_delimiters = re.compile(rf"[ {end}]*(?=\n|\Z)")

    def rows(self) -> Iterator[tuple[int, list[str] | None]]:
        """Line and cells of every row that is not blank, including the header."""
        quoted = '"' in self.text
        if quoted:
            for _ in self._rows(quoted=True):
                pass
            quoted = self.closed > self.against
        yield from self._rows(quoted)

    def _rows(self, quoted: bool) -> Iterator[tuple[int, list[str] | None]]:
        at, line, length = 0, 1, len(self.text)
        while at < length:
            end = self._line_end(at)
            content = self.text[at:end]
            lines = 1
            if quoted and '"' in content:
                cells, end = self._quoted(at)
                lines += self.text.count("\n", at, end)
            else:
                cells = self._split(content)
            if cells is None or any(cells):
                yield line, cells
            line += lines
            at = end + 1

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def _split(self, content: str) -> list[str] | None:
        """The cells of an unquoted line; cells beyond the number of columns belong to the caption."""
        cells = [cell.strip() for cell in content.split(self.delimiter)]
        extra = len(cells) - self.width
        if extra > 0 and self.caption == self.width - 1 and not any(cells[self.width :]):
            del cells[self.width :]  # delimiters at the line's end
        elif extra > 0:
            self.against += 1
            # Unchanged, including blanks around the delimiters.
            parts = content.split(self.delimiter)[self.caption : self.caption + extra + 1]
            cells[self.caption : self.caption + extra + 1] = [self.delimiter.join(parts).strip()]
        return cells if extra >= 0 or not any(cells) else None

    def _quoted(self, at: int) -> tuple[list[str] | None, int]:
        """The cells of the quoted row at ``at``, and its end; None and the line's end if it makes no sense."""
        cells: list[str] = []
        while True:
            cell, after = self._cell(at, cells)
            if cell is None:
                self.against += 1
                return None, after
            cells.append(cell.strip())
            if self.text[after : after + 1] != self.delimiter:
                return cells if len(cells) == self.width else None, after
            at = after + 1

    def _cell(self, at: int, before: Sequence[str]) -> tuple[str | None, int]:
        """The cell at ``at`` and its end; None and the line's end if its quote is left open."""
        end, is_last = self._line_end(at), len(before) == self.width - 1
        match = self._quoted_cell.match(self.text, at)
        after = match.end() if match else end
        if match and is_last:
            rest = self._only_delimiters.match(self.text, after)
            match, after = (match, rest.end()) if rest else (None, end)
        if match and not self._swallows_a_row(match[1], after, before):
            self.closed += 1
            return match[1].replace('""', '"'), after
        line = self.text[at:end].strip(" ")
        if not line.startswith('"'):
            self.against += is_last and self.delimiter in line
            return (line, end) if is_last else self._plain(at)
        if is_last and not match and len(line) > 1 and line.endswith('"'):
            # Quoted by a writer that does not double the quotes inside.
            return line[1:-1].replace('""', '"'), end
        return None, end

    def _plain(self, at: int) -> tuple[str, int]:
        end = self._line_end(at)
        cut = self.text.find(self.delimiter, at, end)
        cut = end if cut < 0 else cut
        return self.text[at:cut], cut

    def _swallows_a_row(self, cell: str, end: int, before: Sequence[str]) -> bool:
        """Whether a line inside a quoted cell that ends at ``end`` is a row with a photo and a caption of its own."""
        if "\n" not in cell:
            return False
        lines = (cell + self.text[end : self._line_end(end)]).split("\n")
        # This row's own photo is before the cell or, if its column follows the caption's, in the last line.
        if self.photo > self.caption:
            photo, others = self._photo_in(lines[-1]), lines[:-1]
        else:
            photo, others = "".join(before[self.photo : self.photo + 1]), lines[1:]
        names = map(self._photo_in, others)
        return any(name.isdigit() if photo.isdigit() else is_photo(name) for name in names)

    def _photo_in(self, line: str) -> str:
        """The cell that names the photo if the line is an unquoted row; "" if the line is too short for one."""
        cells = line.split(self.delimiter)
        if len(cells) < self.width:
            return ""
        # Counted from the end if the caption comes first, as that may contain delimiters.
        position = self.photo - self.width if self.photo > self.caption else self.photo
        return cells[position].strip(' "')
