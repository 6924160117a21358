"""Pages of text: paragraphs, columns, headings, lists, tables, listings, formulas, title pages, notes, receipts."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

from sightline.not_photos.pens import Colour, Rng, Writer, between, chance, colour, field, mixed, paper_and_ink, tinted


def page(rng: Rng) -> Image.Image:
    """A page of text in one script, printed on a plain colour."""
    paper, ink = paper_and_ink(rng, dark=0.1)
    if chance(rng, 0.4):
        paper, ink = (255, 255, 255), (0, 0, 0)
    wide = chance(rng, 0.25)
    width, height = between(rng, 420, 900), between(rng, 500, 1000)
    image = Image.new("RGB", (height, width * 3 // 4) if wide else (width, height), paper)
    sheet = _Sheet(rng, image, ink, paper)
    if chance(rng, 0.12):
        sheet.title_page()
    else:
        sheet.columns()
    return image


class _Sheet:
    """A page while it is being filled from top to bottom."""

    def __init__(self, rng: Rng, image: Image.Image, ink: Colour, paper: Colour) -> None:
        self.rng, self.image, self.ink, self.paper = rng, image, ink, paper
        self.pen = ImageDraw.Draw(image)
        self.body, self.heading = Writer(rng), Writer(rng)
        if chance(rng, 0.6):
            self.heading = self.body
        else:
            self.body.script = self.heading.script
        self.size = between(rng, 7, 12) if chance(rng, 0.5) else between(rng, 10, 30)
        self.leading = rng.uniform(1.05, 1.9)
        self.accent = colour(rng, (0.4, 1), (0.3, 0.9)) if chance(rng, 0.4) else ink
        self.ragged = chance(rng, 0.5)

    def title_page(self) -> None:
        """A few large words in the middle, as on a cover, a slide or a sign."""
        rng, (width, height) = self.rng, self.image.size
        size, y = between(rng, width / 14, width / 5), height * rng.uniform(0.05, 0.4)
        for _ in range(between(rng, 1, 6)):
            text = self.heading.words(rng, between(rng, 1, 4))
            font = self.heading.font(size)
            x = (width - font.getlength(text)) / 2 if chance(rng, 0.6) else width * 0.08
            self.pen.text((max(x, 4), y), text, self.accent, font)
            y += size * rng.uniform(1.1, 2.2)
            size = max(8, int(size * rng.uniform(0.4, 1)))
            if y > height:
                break

    def columns(self) -> None:
        """One to three columns with what a page has, under a header and over a page number."""
        rng, (width, height) = self.rng, self.image.size
        margin = rng.uniform(0.02, 0.14) * width
        count = int(rng.choice([1, 1, 1, 2, 2, 3]))
        gap = margin * 0.4
        column = (width - 2 * margin - (count - 1) * gap) / count
        top, bottom = height * rng.uniform(0.02, 0.12), height * rng.uniform(0.85, 1.0)
        small = self.body.font(max(6, self.size * 3 // 4))
        if chance(rng, 0.4):
            self.pen.text((margin, top * 0.4), self.body.words(rng, 4), self.ink, small)
            if chance(rng, 0.5):
                self.pen.line([(margin, top * 0.95), (width - margin, top * 0.95)], self.ink)
        if chance(rng, 0.4):
            self.pen.text((width / 2, bottom + (height - bottom) * 0.3), str(rng.integers(999)), self.ink, small)
        empty = rng.uniform(0.3, 0.9) if chance(rng, 0.25) else 1.0  # how far the page is filled
        for index in range(count):
            x, y = margin + index * (column + gap), top
            while y < top + (bottom - top) * empty:
                y = self._block(x, y, column, bottom)

    def _block(self, x: float, y: float, width: float, bottom: float) -> float:
        rng = self.rng
        blocks: list[tuple[float, Callable[[float, float, float, float], float]]] = [
            (0.58, self._paragraph),
            (0.13, self._heading),
            (0.09, self._list),
            (0.09, self._table),
            (0.05, self._listing),
            (0.03, self._figure),
            (0.03, self._formula),
        ]
        total, draws = 0.0, rng.random()
        for share, block in blocks:
            total += share
            if draws < total:
                return block(x, y, width, bottom) + self.size * rng.uniform(0.2, 1.6)
        return y + self.size

    def _write(self, x: float, y: float, width: float, lines: list[str], bottom: float, fill: Colour) -> float:
        font = self.body.font(self.size)
        for index, line in enumerate(lines):
            if y + self.size > bottom:
                return bottom
            end = 0.3 + 0.6 * self.rng.random() if index == len(lines) - 1 else 1
            if self.ragged and end == 1:
                end = self.rng.uniform(0.85, 1)
            self.pen.text((x, y), line[: max(1, int(len(line) * end))], fill, font)
            y += self.size * self.leading
        return y

    def _paragraph(self, x: float, y: float, width: float, bottom: float) -> float:
        lines = self.body.lines(self.rng, self.size, width, between(self.rng, 1, 12))
        return self._write(x, y, width, lines, bottom, self.ink)

    def _heading(self, x: float, y: float, width: float, bottom: float) -> float:
        size = int(self.size * self.rng.uniform(1.1, 2.4))
        if y + size > bottom:
            return bottom
        font = self.heading.font(size)
        text = self.heading.words(self.rng, between(self.rng, 1, 5))
        while len(text) > 1 and font.getlength(text) > width:
            text = text[:-1]
        self.pen.text((x, y), text, self.accent, font)
        return y + size * 1.4

    def _list(self, x: float, y: float, width: float, bottom: float) -> float:
        numbered = chance(self.rng, 0.4)
        for index in range(between(self.rng, 2, 7)):
            mark = f"{index + 1}." if numbered else "•"
            if y + self.size > bottom:
                return bottom
            self.pen.text((x + self.size, y), mark, self.ink, Writer(self.rng, latin=True).font(self.size))
            lines = self.body.lines(self.rng, self.size, width - 3 * self.size, between(self.rng, 1, 2))
            y = self._write(x + 3 * self.size, y, width - 3 * self.size, lines, bottom, self.ink)
        return y

    def _table(self, x: float, y: float, width: float, bottom: float) -> float:
        rng, columns, rows = self.rng, between(self.rng, 2, 7), between(self.rng, 3, 22)
        row_height, cell = self.size * rng.uniform(1.3, 2.2), width / columns
        rows = min(rows, int((bottom - y) / row_height))
        font, ruled, striped = self.body.font(self.size), chance(rng, 0.6), chance(rng, 0.4)
        numbers = chance(rng, 0.6)
        for row in range(rows):
            top = y + row * row_height
            shade = mixed(self.paper, self.accent, 0.75 if row == 0 and chance(rng, 0.5) else 0.1)
            if striped and row % 2 == 0:
                self.pen.rectangle((x, top, x + width, top + row_height), shade)
            for column in range(columns):
                text = f"{rng.normal(0, 100):.2f}" if numbers and row and column else self.body.word(rng)
                self.pen.text((x + column * cell + 3, top + row_height * 0.15), text, self.ink, font)
            if ruled or row < 2:
                self.pen.line([(x, top), (x + width, top)], self.ink)
        if ruled:
            for column in range(columns + 1):
                self.pen.line([(x + column * cell, y), (x + column * cell, y + rows * row_height)], self.ink)
        return y + rows * row_height + self.size

    def _listing(self, x: float, y: float, width: float, bottom: float) -> float:
        rng, code = self.rng, Writer(self.rng, fixed=True)
        lines = min(between(rng, 3, 20), int((bottom - y) / (self.size * 1.3)))
        if chance(rng, 0.6):
            shade = mixed(self.paper, self.ink, 0.07)
            self.pen.rectangle((x, y, x + width, y + lines * self.size * 1.3), shade)
        for index in range(lines):
            text = "    " * between(rng, 0, 3) + code.words(rng, between(rng, 1, 7))
            self.pen.text((x + 4, y + index * self.size * 1.3), text, self.ink, code.font(self.size))
        return y + lines * self.size * 1.3 + self.size

    def _figure(self, x: float, y: float, width: float, bottom: float) -> float:
        """A picture between the paragraphs: hills of random tones, or a frame."""
        height = min(width * self.rng.uniform(0.2, 0.6), bottom - y)
        if height < 20:
            return bottom
        box = (int(x), int(y), int(x + width), int(y + height))
        if chance(self.rng, 0.5):
            tones = [colour(self.rng) for _ in range(3)] if chance(self.rng, 0.5) else [(0, 0, 0), (255, 255, 255)]
            self.image.paste(tinted(field(self.rng, box[2] - box[0], box[3] - box[1]), tones), box[:2])
        else:
            self.pen.rectangle(box, mixed(self.paper, self.ink, 0.1), self.ink)
        return y + height + self.size

    def _formula(self, x: float, y: float, width: float, bottom: float) -> float:
        size = int(self.size * 1.3)
        if y + 2 * size > bottom:
            return bottom
        font, middle = Writer(self.rng, latin=True).font(size), x + width * self.rng.uniform(0.15, 0.4)
        for index in range(between(self.rng, 2, 5)):
            place = middle + index * size * 2.2
            self.pen.text((place, y), f"{self.body.word(self.rng)[:2]} = ", self.ink, font)
            if chance(self.rng, 0.4):
                self.pen.line([(place, y + size * 1.3), (place + size, y + size * 1.3)], self.ink)
                self.pen.text((place, y + size * 1.4), str(self.rng.integers(20)), self.ink, font)
        return y + 2.6 * size
