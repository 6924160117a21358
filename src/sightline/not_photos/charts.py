"""Charts, drawn by matplotlib in its many styles, one or several panels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from sightline.not_photos.pens import Rng, between, chance, colour, field, palette, pick

Axes: TypeAlias = Any


def chart(rng: Rng) -> Image.Image:
    """A picture of one chart, or of up to six; needs matplotlib."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib import style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = [name for name in sorted(style.available) if not name.startswith("_") and "xkcd" not in name]
    chosen = "default" if chance(rng, 0.35) else pick(rng, *names)
    with style.context(chosen), mpl.rc_context({"font.size": rng.uniform(6, 16), "axes.unicode_minus": False}):
        if chance(rng, 0.5):
            colours = [tuple(part / 255 for part in each) for each in palette(rng, 6)]
            mpl.rcParams["axes.prop_cycle"] = cycler(color=colours)
        if chance(rng, 0.3):
            mpl.rcParams["axes.grid"] = not mpl.rcParams["axes.grid"]
        if chance(rng, 0.2):
            mpl.rcParams["axes.facecolor"] = _light(rng)
            mpl.rcParams["figure.facecolor"] = _light(rng)
        figure = Figure(figsize=(rng.uniform(3, 8), rng.uniform(2.4, 6)), dpi=between(rng, 60, 110))
        rows, columns = (between(rng, 1, 3), between(rng, 1, 2)) if chance(rng, 0.18) else (1, 1)
        one_kind = _KINDS[between(rng, 0, len(_KINDS) - 1)]
        for place in range(rows * columns):
            draw, projection = one_kind if chance(rng, 0.6) else _KINDS[between(rng, 0, len(_KINDS) - 1)]
            axes = figure.add_subplot(rows, columns, place + 1, projection=projection)
            draw(rng, axes)
            _decorate(rng, axes, projection)
        canvas = FigureCanvasAgg(figure)
        with warnings.catch_warnings():  # where names are longer than their chart
            warnings.simplefilter("ignore", UserWarning)
            if chance(rng, 0.5):
                figure.tight_layout()
            canvas.draw()
        return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _light(rng: Rng) -> tuple[float, ...]:
    return tuple(part / 255 for part in colour(rng, (0, 0.3), (0.8, 1)))


def _decorate(rng: Rng, axes: Axes, projection: str | None) -> None:
    if chance(rng, 0.6):
        axes.set_title(_label(rng))
    if chance(rng, 0.6):
        axes.set_xlabel(_label(rng))
        axes.set_ylabel(_label(rng))
    if projection is None:
        if chance(rng, 0.3):
            axes.spines[["top", "right"]].set_visible(False)
        if chance(rng, 0.08):
            axes.set_axis_off()
        if chance(rng, 0.1):
            axes.annotate(_label(rng), (0.4, 0.5), (0.6, 0.8), "axes fraction", arrowprops={"arrowstyle": "->"})
    handles, _ = axes.get_legend_handles_labels()
    if handles and chance(rng, 0.8):
        axes.legend(loc=between(rng, 1, 9))


def _label(rng: Rng) -> str:
    words = ["".join(rng.choice(list("abcdefghijklmnoprstuvw"), between(rng, 2, 9))) for _ in range(between(rng, 1, 4))]
    return " ".join(words).capitalize()


def _series(rng: Rng, points: int) -> np.ndarray:
    """Numbers that go up and down: a walk, a wave, a growth, or all of them."""
    walk = rng.standard_normal(points).cumsum() * rng.uniform(0, 1)
    wave = np.sin(np.linspace(0, rng.uniform(1, 25), points) + rng.uniform(0, 6)) * rng.uniform(0, 6)
    growth = np.linspace(0, rng.uniform(-5, 8), points) ** int(rng.integers(1, 3))
    return walk + wave + growth + rng.normal(0, rng.uniform(0, 0.5), points)


def _lines(rng: Rng, axes: Axes) -> None:
    points = between(rng, 5, 120)
    markers = pick(rng, "", "", "o", "s", "^", "x") if points < 40 else ""
    for index in range(between(rng, 1, 6)):
        values = _series(rng, points)
        line = pick(rng, "-", "-", "--", ":")
        axes.plot(values, line, marker=markers, label=_label(rng), linewidth=rng.uniform(0.7, 3.5))
        if index == 0 and chance(rng, 0.25):
            spread = np.abs(_series(rng, points)) * 0.3 + 0.4
            axes.fill_between(range(points), values - spread, values + spread, alpha=0.3)
    if chance(rng, 0.1):
        axes.set_yscale("symlog")


def _bars(rng: Rng, axes: Axes) -> None:
    groups, members = between(rng, 2, 14), between(rng, 1, 4)
    draw = axes.barh if chance(rng, 0.35) else axes.bar
    stacked, base = chance(rng, 0.4), np.zeros(groups)
    for member in range(members):
        values = np.abs(_series(rng, groups)) + 0.2
        place = np.arange(groups) + (0 if stacked else 0.8 * member / members)
        start = {"left" if draw == axes.barh else "bottom": base} if stacked else {}
        draw(place, values, 0.8 if stacked else 0.8 / members, label=_label(rng), **start)
        base = base + values
    if chance(rng, 0.6):
        ticks, names = np.arange(groups), [_label(rng).split()[0] for _ in range(groups)]
        if draw == axes.barh:
            axes.set_yticks(ticks, names)
        else:
            axes.set_xticks(ticks, names, rotation=between(rng, 0, 90))


def _pie(rng: Rng, axes: Axes) -> None:
    shares = rng.uniform(0.2, 2, between(rng, 2, 9))
    labels = [_label(rng).split()[0] for _ in shares]
    percent = "%1.0f%%" if chance(rng, 0.5) else None
    hole = {"width": rng.uniform(0.2, 0.6)} if chance(rng, 0.35) else None
    apart = rng.choice([0, 0, 0.1], len(shares))
    axes.pie(shares, apart, labels if chance(rng, 0.7) else None, autopct=percent, wedgeprops=hole)


def _scatter(rng: Rng, axes: Axes) -> None:
    for _ in range(between(rng, 1, 4)):
        points = between(rng, 8, 400)
        x, y = rng.normal(rng.uniform(-3, 3), rng.uniform(0.3, 2), points), rng.standard_normal(points)
        sizes = rng.uniform(5, 300, points) if chance(rng, 0.3) else rng.uniform(4, 60)
        shades = {"c": rng.random(points), "cmap": _map(rng)} if chance(rng, 0.3) else {}
        axes.scatter(x, y + rng.uniform(-2, 2) * x, sizes, alpha=rng.uniform(0.3, 1), label=_label(rng), **shades)


def _histogram(rng: Rng, axes: Axes) -> None:
    samples = [rng.normal(rng.uniform(-2, 2), rng.uniform(0.4, 2), 400) for _ in range(between(rng, 1, 3))]
    how = pick(rng, "bar", "stepfilled", "step", "barstacked")
    axes.hist(samples, between(rng, 6, 50), histtype=how, label=[_label(rng) for _ in samples], alpha=0.8)


def _boxes(rng: Rng, axes: Axes) -> None:
    samples = [rng.normal(rng.uniform(-3, 3), rng.uniform(0.4, 2), 80) for _ in range(between(rng, 2, 12))]
    if chance(rng, 0.4):
        axes.violinplot(samples)
    else:
        axes.boxplot(samples, patch_artist=chance(rng, 0.5), orientation=pick(rng, "vertical", "horizontal"))


def _areas(rng: Rng, axes: Axes) -> None:
    points = between(rng, 6, 60)
    series = np.abs([_series(rng, points) for _ in range(between(rng, 1, 6))]) + 0.3
    axes.stackplot(range(points), series, labels=[_label(rng) for _ in series], alpha=rng.uniform(0.5, 1))


def _heat(rng: Rng, axes: Axes) -> None:
    rows, columns = between(rng, 3, 25), between(rng, 3, 25)
    values = rng.standard_normal((rows, columns)) if chance(rng, 0.5) else field(rng, columns, rows, 1.5)
    image = axes.imshow(values, cmap=_map(rng), aspect="auto" if chance(rng, 0.5) else "equal")
    if chance(rng, 0.6):
        axes.figure.colorbar(image, ax=axes)
    if rows * columns < 80 and chance(rng, 0.6):
        for row, column in np.ndindex(rows, columns):
            axes.text(column, row, f"{values[row, column]:.1f}", ha="center", va="center", fontsize=7)


def _contours(rng: Rng, axes: Axes) -> None:
    hills = field(rng, 60, 50, rng.uniform(1.8, 3))
    filled = chance(rng, 0.6)
    drawn = (axes.contourf if filled else axes.contour)(hills, between(rng, 4, 20), cmap=_map(rng))
    if filled and chance(rng, 0.6):
        axes.figure.colorbar(drawn, ax=axes)
    elif not filled and chance(rng, 0.6):
        axes.clabel(drawn, fontsize=7)


def _arrows(rng: Rng, axes: Axes) -> None:
    one, other = field(rng, 40, 40, 2.5), field(rng, 40, 40, 2.5)
    if chance(rng, 0.5):
        axes.streamplot(np.arange(40), np.arange(40), one - 0.5, other - 0.5, density=rng.uniform(0.5, 1.5))
    else:
        step = between(rng, 2, 4)
        axes.quiver(one[::step, ::step] - 0.5, other[::step, ::step] - 0.5)


def _errors(rng: Rng, axes: Axes) -> None:
    points = between(rng, 4, 20)
    for _ in range(between(rng, 1, 3)):
        axes.errorbar(range(points), _series(rng, points), rng.uniform(0.2, 1, points), fmt="o-", label=_label(rng))
    if chance(rng, 0.3):
        axes.axhline(0, linestyle="--", color="grey")


def _stems(rng: Rng, axes: Axes) -> None:
    if chance(rng, 0.5):
        axes.stem(_series(rng, between(rng, 6, 40)))
    else:
        axes.step(range(30), _series(rng, 30), label=_label(rng))


def _polar(rng: Rng, axes: Axes) -> None:
    angles = np.linspace(0, 2 * np.pi, between(rng, 5, 60))
    radius = np.abs(_series(rng, len(angles))) + 0.3
    if chance(rng, 0.5):
        axes.bar(angles, radius, width=6 / len(angles), alpha=0.7)
    else:
        axes.plot(angles, radius)
        axes.fill(angles, radius, alpha=0.3)


def _surface(rng: Rng, axes: Axes) -> None:
    x, y = np.meshgrid(np.linspace(-2, 2, 20), np.linspace(-2, 2, 20))
    height = field(rng, 20, 20, rng.uniform(2, 3))
    kind = rng.random()
    if kind < 0.4:
        axes.plot_surface(x, y, height, cmap=_map(rng))
    elif kind < 0.6:
        axes.plot_wireframe(x, y, height, linewidth=0.7)
    elif kind < 0.8:
        axes.scatter(*rng.standard_normal((3, 60)))
    else:
        count = between(rng, 4, 20)
        places = rng.integers(0, 6, (2, count))
        axes.bar3d(*places, np.zeros(count), 0.7, 0.7, rng.uniform(0.5, 4, count))


def _map(rng: Rng) -> str:
    return pick(rng, "viridis", "plasma", "coolwarm", "Blues", "gray", "RdYlGn", "jet", "YlOrRd", "magma", "terrain")


# Each with the projection of its axes.
_KINDS: list[tuple[Callable[[Rng, Axes], None], str | None]] = [
    *[(draw, None) for draw in (_lines, _lines, _lines, _bars, _bars, _scatter, _scatter, _histogram, _boxes, _pie)],
    *[(draw, None) for draw in (_areas, _heat, _contours, _arrows, _errors, _stems)],
    (_polar, "polar"),
    (_surface, "3d"),
]
