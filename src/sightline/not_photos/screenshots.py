"""Screenshots: windows of programs, web pages, terminals, telephones, dialogs, whole desktops."""

from __future__ import annotations

from PIL import Image, ImageDraw

from sightline.not_photos.fields import pattern
from sightline.not_photos.logos import emblem
from sightline.not_photos.pens import Colour, Rng, Writer, between, chance, colour, field, mixed, palette, tinted


def screenshot(rng: Rng) -> Image.Image:
    """What a program shows, in a look of its own, light or dark."""
    look = _Look(rng)
    kind = rng.random()
    if kind < 0.12:
        return _desktop(look)
    if kind < 0.26:
        size = (between(rng, 320, 420), between(rng, 520, 860))  # a telephone
    elif kind < 0.4:
        size = (between(rng, 260, 560), between(rng, 120, 480))  # a dialog
    else:
        size = (between(rng, 480, 1200), between(rng, 360, 820))
    image = Image.new("RGB", size, look.ground)
    window(look, image, (0, 0, *size), narrow=size[0] < 430)
    return image


class _Look:
    """Colours, sizes and fonts that belong together."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.dark = chance(rng, 0.3)
        tint = colour(rng, (0, 0.4), (0, 1))
        self.ground = (
            mixed((38, 38, 40), tint, 0.15) if self.dark else mixed((246, 246, 246), tint, rng.uniform(0, 0.2))
        )
        self.field = mixed(self.ground, (0, 0, 0) if self.dark else (255, 255, 255), 0.8)
        self.ink = (230, 230, 230) if self.dark else mixed((10, 10, 10), tint, 0.2)
        self.edge = mixed(self.ground, self.ink, rng.uniform(0.1, 0.5))
        self.accent = colour(rng, (0.4, 1), (0.4, 0.95))
        self.bar = self.accent if chance(rng, 0.35) else mixed(self.ground, self.ink, rng.uniform(0.03, 0.25))
        self.writer = Writer(rng, latin=chance(rng, 0.7))
        self.size = between(rng, 9, 17)
        self.round = between(rng, 0, 8)

    def text(self, pen: ImageDraw.ImageDraw, x: float, y: float, text: str, ink: Colour | None = None) -> float:
        """Writes a line and returns its width."""
        font = self.writer.font(self.size)
        pen.text((x, y), text, ink or self.ink, font)
        return font.getlength(text)

    def on(self, ground: Colour) -> Colour:
        """Black or white, whichever is read on ``ground``."""
        return (0, 0, 0) if sum(ground) > 400 else (255, 255, 255)


Box = tuple[int, int, int, int]


def window(look: _Look, image: Image.Image, box: Box, narrow: bool = False) -> None:
    """Fills ``box`` with a title, a menu, tools, and one of the contents that programs have."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    pen.rectangle(box, look.ground, look.edge)
    row = int(look.size * 2)
    x: float
    if chance(rng, 0.8):
        _title(look, pen, (left, top, right, top + row))
        top += row
    if chance(rng, 0.5) and not narrow:
        x = left + look.size
        for _ in range(between(rng, 3, 8)):
            x += look.text(pen, x, top + row * 0.2, look.writer.word(rng)[:8].capitalize()) + look.size * 1.2
        top += row
    if chance(rng, 0.55):
        side = between(rng, 14, 34)
        x = left + 6
        while x + side < right - side and chance(rng, 0.93):
            if chance(rng, 0.85):
                image.paste(emblem(rng, side - 4, look.ground), (x, top + 4))
            x += side + between(rng, 0, 10)
        top += side + 8
        pen.line([(left, top), (right, top)], look.edge)
    if chance(rng, 0.4):
        pen.rectangle((left, bottom - row, right, bottom), look.bar)
        look.text(pen, left + 8, bottom - row * 0.8, look.writer.words(rng, 4), look.on(look.bar))
        bottom -= row
    if chance(rng, 0.45) and not narrow:
        split = left + int((right - left) * rng.uniform(0.12, 0.35))
        _tree(look, image, (left, top, split, bottom))
        left = split
    if bottom - top < 40 or right - left < 40:
        return
    contents = [_form, _form, _table, _text, _code, _cards, _pictures, _web, _chat, _settings, _dialog, _canvas]
    contents[between(rng, 0, len(contents) - 1)](look, image, (left, top, right, bottom))
    if chance(rng, 0.12):
        width, height = int((right - left) * 0.5), int((bottom - top) * 0.4)
        x, y = left + width // 2, top + height // 2
        pen.rectangle((x, y, x + width, y + height), look.ground, look.edge, 2)
        _dialog(look, image, (x, y, x + width, y + height))


def _title(look: _Look, pen: ImageDraw.ImageDraw, box: Box) -> None:
    left, top, right, bottom = box
    pen.rectangle(box, look.bar)
    ink, middle = look.on(look.bar), (top + bottom) / 2
    text = look.writer.words(look.rng, between(look.rng, 1, 4))[:30]
    look.text(pen, (left + right) / 2 - len(text) * 3 if chance(look.rng, 0.5) else left + 40, top + 4, text, ink)
    radius = look.size * 0.4
    at_left, lights = chance(look.rng, 0.3), chance(look.rng, 0.5)
    for index in range(3):
        x = left + 14 + index * look.size * 1.4 if at_left else right - 14 - index * look.size * 1.6
        spot = (x - radius, middle - radius, x + radius, middle + radius)
        if lights:
            pen.ellipse(spot, [(237, 106, 94), (245, 191, 79), (97, 197, 84)][index])
        elif index == 0:
            pen.line([spot[:2], spot[2:]], ink)
            pen.line([(spot[0], spot[3]), (spot[2], spot[1])], ink)
        else:
            pen.rectangle(spot if index == 1 else (spot[0], middle, spot[2], middle + 1), outline=ink)


def _tree(look: _Look, image: Image.Image, box: Box) -> None:
    """A list at the side, indented, one row chosen."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    x: float
    pen.rectangle(box, mixed(look.ground, look.ink, rng.uniform(0, 0.12)), look.edge)
    row, icons = look.size * rng.uniform(1.5, 2.6), chance(rng, 0.6)
    chosen = between(rng, 0, 8)
    for index in range(int((bottom - top) / row * rng.uniform(0.3, 1))):
        y, x = top + index * row, left + 8 + look.size * between(rng, 0, 2)
        ink = look.ink
        if index == chosen:
            pen.rectangle((left, y, right, y + row), look.accent)
            ink = look.on(look.accent)
        if icons:
            image.paste(emblem(rng, max(8, look.size), look.ground), (int(x), int(y + row * 0.2)))
            x += look.size * 1.5
        look.text(pen, x, y + row * 0.15, look.writer.words(rng, 2)[: max(2, int((right - x) / look.size * 1.6))], ink)


def _button(look: _Look, pen: ImageDraw.ImageDraw, x: float, y: float, main: bool = False) -> float:
    """Draws a button and returns its right edge."""
    text = look.writer.word(look.rng).capitalize()
    width = look.writer.font(look.size).getlength(text) + look.size * 2
    fill = look.accent if main else mixed(look.ground, look.ink, 0.1)
    pen.rounded_rectangle((x, y, x + width, y + look.size * 2), look.round, fill, look.edge)
    look.text(pen, x + look.size, y + look.size * 0.4, text, look.on(fill))
    return x + width


def _form(look: _Look, image: Image.Image, box: Box) -> None:
    """Names with fields, boxes to tick, sliders and lists to choose from."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    x: float
    y: float
    y, step, size = top + look.size, look.size * rng.uniform(2.3, 3.6), look.size
    middle = left + (right - left) * rng.uniform(0.25, 0.5)
    if chance(rng, 0.4):  # tabs
        x = left + 10.0
        for index in range(between(rng, 2, 6)):
            fill = look.field if index == 0 else look.ground
            width = size * between(rng, 4, 8)
            pen.rectangle((x, y, x + width, y + size * 1.8), fill, look.edge)
            look.text(pen, x + 6, y + 3, look.writer.word(rng)[:7])
            x += width
        y += step
    while y < bottom - 3 * size:
        look.text(pen, left + size, y, look.writer.words(rng, between(rng, 1, 3))[:24])
        kind = rng.random()
        spot = (middle, y - 2, middle + (right - middle) * rng.uniform(0.4, 0.95), y + size * 1.5)
        if kind < 0.5:
            pen.rounded_rectangle(spot, look.round, look.field, look.edge)
            look.text(pen, middle + 4, y, look.writer.word(rng)[:20])
            if chance(rng, 0.4):
                pen.polygon([(spot[2] - 14, y + 4), (spot[2] - 4, y + 4), (spot[2] - 9, y + 10)], look.ink)
        elif kind < 0.75:
            box_ = (middle, y, middle + size, y + size)
            pen.rectangle(box_, look.accent if chance(rng, 0.5) else look.field, look.edge)
            look.text(pen, middle + size * 1.6, y, look.writer.words(rng, 3))
        elif kind < 0.9:
            pen.line([(spot[0], y + size / 2), (spot[2], y + size / 2)], look.edge, 3)
            knob = rng.uniform(spot[0], spot[2])
            pen.ellipse((knob - size / 2, y, knob + size / 2, y + size), look.accent)
        y += step
    x = right - (right - left) * 0.5
    for index in range(between(rng, 0, 3)):
        x = _button(look, pen, x, bottom - 2.4 * size, index == 0) + size


def _dialog(look: _Look, image: Image.Image, box: Box) -> None:
    """A question with a sign beside it and buttons."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    side = max(16, min(64, (bottom - top) // 3))
    image.paste(emblem(rng, side, look.ground), (left + 12, top + 14))
    width = right - left - side - 40
    for index, line in enumerate(look.writer.lines(rng, look.size, max(width, 40), between(rng, 1, 4))):
        look.text(pen, left + side + 28, top + 14 + index * look.size * 1.4, line)
    x = left + (right - left) * rng.uniform(0.3, 0.6)
    for index in range(between(rng, 1, 3)):
        x = _button(look, pen, x, bottom - look.size * 2.6, index == 0) + look.size


def _table(look: _Look, image: Image.Image, box: Box) -> None:
    """Rows and columns: a spreadsheet, or a list of files."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    pen.rectangle(box, look.field)
    row, columns = look.size * rng.uniform(1.5, 2.4), between(rng, 3, 9)
    cell = (right - left) / columns
    filled, ruled, icons = rng.uniform(0.2, 1), chance(rng, 0.6), chance(rng, 0.3)
    for index in range(int((bottom - top) / row)):
        y = top + index * row
        if index == 0:
            pen.rectangle((left, y, right, y + row), look.bar)
        elif index % 2 and chance(rng, 0.5):
            pen.rectangle((left, y, right, y + row), mixed(look.field, look.ink, 0.05))
        for column in range(columns):
            if chance(rng, filled):
                text = look.writer.word(rng) if chance(rng, 0.5) else f"{rng.normal(0, 500):.1f}"
                x = left + column * cell + 4
                if icons and column == 0:
                    image.paste(emblem(rng, max(8, look.size), look.field), (int(x), int(y + 3)))
                    x += look.size * 1.4
                ink = look.on(look.bar) if index == 0 else look.ink
                look.text(pen, x, y + 2, text[: max(2, int(cell / look.size * 1.5))], ink)
        if ruled:
            pen.line([(left, y), (right, y)], look.edge)
    if ruled:
        for column in range(columns):
            pen.line([(left + column * cell, top), (left + column * cell, bottom)], look.edge)


def _text(look: _Look, image: Image.Image, box: Box) -> None:
    """Paragraphs in an editor or a reader of help."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    y: float
    pen.rectangle(box, look.field)
    size, y = look.size, top + look.size
    margin = (right - left) * rng.uniform(0.02, 0.12)
    while y < bottom - 2 * size:
        if chance(rng, 0.2):
            font = look.writer.font(int(size * 1.7))
            pen.text((left + margin, y), look.writer.words(rng, 3)[:30], look.accent, font)
            y += size * 2.6
        lines = look.writer.lines(rng, size, max(right - left - 2 * margin, 30), between(rng, 1, 7))
        for line in lines:
            if y > bottom - 2 * size:
                break
            look.text(pen, left + margin, y, line)
            y += size * 1.4
        y += size
        if chance(rng, 0.1):
            break


def _code(look: _Look, image: Image.Image, box: Box) -> None:
    """A listing in many colours, or a terminal."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    dark = chance(rng, 0.65)
    ground = colour(rng, (0, 0.5), (0.0, 0.22)) if dark else (255, 255, 255)
    pen.rectangle(box, ground)
    code, colours = Writer(rng, fixed=True), palette(rng, 5)
    inks = [mixed(each, (255, 255, 255) if dark else (0, 0, 0), 0.4) for each in colours]
    inks += [look.on(ground)] * (20 if chance(rng, 0.4) else 3)
    font, step = code.font(look.size), look.size * 1.25
    advance, numbered = font.getlength("m"), chance(rng, 0.4)
    for index in range(int((bottom - top) / step * rng.uniform(0.4, 1))):
        x, y = left + 6.0, top + 4 + index * step
        if numbered:
            pen.text((x, y), f"{index + 1:>3}", mixed(ground, look.on(ground), 0.4), font)
            x += 4 * advance
        x += advance * 4 * between(rng, 0, 3) * chance(rng, 0.7)
        for _ in range(between(rng, 0, 9)):
            word = code.word(rng)
            if x + len(word) * advance > right:
                break
            pen.text((x, y), word, inks[between(rng, 0, len(inks) - 1)], font)
            x += (len(word) + 1) * advance


def _picture(look: _Look, width: int, height: int) -> Image.Image:
    """Something that stands for a picture inside a window."""
    rng = look.rng
    if chance(rng, 0.5):
        return tinted(field(rng, width, height, 2.2), palette(rng, 4))
    return pattern(rng).resize((width, height)) if chance(rng, 0.5) else Image.new("RGB", (width, height), colour(rng))


def _cards(look: _Look, image: Image.Image, box: Box) -> None:
    """Equal boxes in rows, each with a picture or a number and a name."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    columns = between(rng, 1, 5)
    width = max(20, (right - left - 10) // columns - 10)
    height = max(20, int(width * rng.uniform(0.5, 1.3)))
    pictures = chance(rng, 0.6)
    for y in range(top + 10, bottom - height // 2, height + 10):
        for column in range(columns):
            x = left + 10 + column * (width + 10)
            pen.rounded_rectangle((x, y, x + width, y + height), look.round, look.field, look.edge)
            if pictures:
                image.paste(_picture(look, width - 2, max(2, height * 2 // 3)), (x + 1, y + 1))
            else:
                font = look.writer.font(max(10, height // 4))
                pen.text((x + 10, y + height * 0.2), str(rng.integers(9999)), look.accent, font)
            look.text(pen, x + 6, y + height * 0.72, look.writer.words(rng, 3)[: max(2, width // look.size)])


def _pictures(look: _Look, image: Image.Image, box: Box) -> None:
    """A file manager or a start screen: signs in a grid, names below."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    pen.rectangle(box, look.field)
    side = between(rng, 24, 80)
    step = side + between(rng, 10, 50)
    for y in range(top + 12, bottom - side, step + look.size):
        for x in range(left + 14, right - side, step):
            if chance(rng, 0.9):
                image.paste(emblem(rng, side, look.field), (x, y))
                look.text(pen, x, y + side + 2, look.writer.word(rng)[: max(3, side // look.size + 2)])


def _web(look: _Look, image: Image.Image, box: Box) -> None:
    """A page of the web: an address, a banner, a headline, text beside a picture, a button."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    pen.rectangle(box, look.field)
    if chance(rng, 0.5):
        pen.rounded_rectangle((left + 60, top + 4, right - 40, top + look.size * 2), 8, look.ground, look.edge)
        look.text(pen, left + 70, top + 5, "https://" + look.writer.word(rng))
        top += look.size * 2 + 8
    height = int((bottom - top) * rng.uniform(0.1, 0.45))
    if height > 10:
        if chance(rng, 0.6):
            image.paste(_picture(look, right - left, height), (left, top))
        else:
            pen.rectangle((left, top, right, top + height), look.accent)
        font = look.writer.font(max(12, height // 4))
        pen.text((left + 30, top + height * 0.3), look.writer.words(rng, 3)[:24], (255, 255, 255), font)
    top += height
    if bottom - top > 60:
        split = left + int((right - left) * rng.uniform(0.5, 1))
        _text(look, image, (left, top, split, bottom))
        if right - split > 60:
            _cards(look, image, (split, top, right, bottom))


def _chat(look: _Look, image: Image.Image, box: Box) -> None:
    """What two people write to each other, in bubbles left and right."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    y, size = top + 10.0, look.size
    while y < bottom - 4 * size:
        width = (right - left) * rng.uniform(0.25, 0.7)
        lines = look.writer.lines(rng, size, max(20, width - 2 * size), between(rng, 1, 4))
        mine = chance(rng, 0.5)
        x = right - width - 10 if mine else left + 10
        fill = look.accent if mine else mixed(look.ground, look.ink, 0.12)
        pen.rounded_rectangle((x, y, x + width, y + len(lines) * size * 1.4 + size), size, fill)
        for index, line in enumerate(lines):
            look.text(pen, x + size * 0.8, y + size * 0.5 + index * size * 1.4, line, look.on(fill))
        y += len(lines) * size * 1.4 + size * 2


def _settings(look: _Look, image: Image.Image, box: Box) -> None:
    """Rows with a name, a small line below and a switch at the right."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    row = int(look.size * rng.uniform(3, 5))
    for y in range(top + 6, bottom - row, row):
        x = left + 12
        if chance(rng, 0.6):
            image.paste(emblem(rng, row // 2, look.ground), (x, y + row // 4))
            x += row
        look.text(pen, x, y + row * 0.15, look.writer.words(rng, 2)[:24])
        look.text(pen, x, y + row * 0.55, look.writer.words(rng, 4)[:40], mixed(look.ground, look.ink, 0.5))
        on = chance(rng, 0.5)
        switch = (right - 50, y + row * 0.3, right - 14, y + row * 0.3 + 18)
        pen.rounded_rectangle(switch, 9, look.accent if on else look.edge)
        knob = switch[2] - 16 if on else switch[0] + 2
        pen.ellipse((knob, switch[1] + 2, knob + 14, switch[1] + 16), (255, 255, 255))
        pen.line([(left, y + row), (right, y + row)], look.edge)


def _canvas(look: _Look, image: Image.Image, box: Box) -> None:
    """The work of a drawing program or a game: a picture with rulers or counts around it."""
    rng, pen, (left, top, right, bottom) = look.rng, ImageDraw.Draw(image), box
    pen.rectangle(box, mixed(look.ground, (0, 0, 0), 0.3))
    inset = between(rng, 0, min(right - left, bottom - top) // 6)
    width, height = right - left - 2 * inset, bottom - top - 2 * inset
    image.paste(_picture(look, width, height), (left + inset, top + inset))
    for _ in range(between(rng, 0, 8)):
        side = between(rng, 12, max(14, min(90, height // 3)))
        spot = (left + inset + between(rng, 0, max(0, width - side)), top + inset + between(rng, 0, height - side))
        image.paste(emblem(rng, side, look.field), spot)
    look.text(pen, left + 6, top + 4, f"{look.writer.word(rng)}: {rng.integers(999)}", (255, 255, 255))


def _desktop(look: _Look) -> Image.Image:
    """A background with a bar, signs and windows over each other."""
    rng = look.rng
    width, height = between(rng, 720, 1280), between(rng, 450, 800)
    image = _picture(look, width, height)
    for _ in range(between(rng, 0, 10)):
        side = between(rng, 24, 48)
        image.paste(emblem(rng, side, look.ground), (between(rng, 0, width - side), between(rng, 0, height - side)))
    for _ in range(between(rng, 0, 3)):
        own = _Look(rng)
        size = (int(width * rng.uniform(0.3, 0.7)), int(height * rng.uniform(0.3, 0.7)))
        inner = Image.new("RGB", size, own.ground)
        window(own, inner, (0, 0, *size))
        image.paste(inner, (between(rng, 0, width - size[0]), between(rng, 0, height - size[1])))
    bar, pen = between(rng, 20, 44), ImageDraw.Draw(image)
    top = 0 if chance(rng, 0.4) else height - bar
    pen.rectangle((0, top, width, top + bar), look.bar)
    for index in range(between(rng, 2, 12)):
        image.paste(emblem(rng, bar - 8, look.bar), (8 + index * bar, top + 4))
    look.text(pen, width - 60, top + bar * 0.25, f"{rng.integers(24)}:{rng.integers(10, 60)}", look.on(look.bar))
    return image
