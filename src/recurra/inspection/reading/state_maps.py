"""The states of a reading as heat maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from recurra.inspection.figures import new_figure
from recurra.inspection.reading.glyphs import drawable
from recurra.inspection.reading.reader import LayerValues, Reading
from recurra.inspection.reading.visible_tokens import visible
from recurra.inspection.terminal_columns import columns, shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

_TOKENS_A_BAND = 60
_LABEL_COLUMNS, _FONT_SIZE = 14, 8
_INCHES_A_COLUMN = 0.085  # of a label in that size
_INCHES_A_UNIT, _MIN_HEIGHT, _MAX_HEIGHT = 0.02, 0.35, 2.5
_WIDEST_TOKEN, _NARROWEST_MAP, _USUAL_MAP = 0.5, 1.2, 13.0
_LEFT, _RIGHT, _TITLE, _BAR, _GAP = 0.65, 0.85, 0.28, 0.12, 0.15


@dataclass(frozen=True)
class _Labels:
    """Tokens as they stand under the maps; an upright one is as wide as a token at most, others are turned."""

    texts: list[str]
    families: list[str]
    are_turned: list[bool]
    height: float


def draw_states(reading: Reading) -> Figure:
    """Draw every state of every layer at each token: tokens from left to right, units from top to bottom.

    Blue is negative, white zero, red positive; the maps of one state have one scale in all layers. The output of the
    last layer has a map of its own where it is none of its states. A long text goes on below, 60 tokens a line.

    Args:
        reading: What ``read_text`` returned.

    Returns:
        A figure that belongs to no window.
    """
    maps = _maps(reading)
    limits = {each.name: _limit([other for other in maps if other.name == each.name]) for each in maps}
    token_width = _token_width(reading.num_tokens)
    labels = _labels(reading, token_width)
    heights = [float(np.clip(_INCHES_A_UNIT * each.values.shape[1], _MIN_HEIGHT, _MAX_HEIGHT)) for each in maps]
    band_height = sum(heights) + _TITLE * len(maps) + labels.height
    starts = range(0, reading.num_tokens, _TOKENS_A_BAND)
    width = _LEFT + token_width * min(reading.num_tokens, _TOKENS_A_BAND) + _RIGHT
    figure = new_figure(width, band_height * len(starts) + _GAP, is_arranged=False)
    for band, start in enumerate(starts):
        top = band * band_height
        for each, height in zip(maps, heights, strict=True):
            top += _TITLE
            values = each.values[start : start + _TOKENS_A_BAND]
            axes = _add_axes(figure, _LEFT, top, token_width * len(values), height)
            image = _draw_map(axes, values, limits[each.name])
            axes.set_title(f"{each.name}, layer {each.layer}", loc="left", fontsize=_FONT_SIZE + 1, pad=3)
            bar = _add_axes(figure, _LEFT + token_width * len(values) + _GAP, top, _BAR, height)
            _draw_scale(figure, bar, image)
            top += height
        _label(axes, labels, start)
    return figure


def _token_width(num_tokens: int) -> float:
    """Return the inches a token: few tokens are not drawn out over the page, and titles fit above one alone."""
    return max(_NARROWEST_MAP, min(_USUAL_MAP, _WIDEST_TOKEN * num_tokens)) / min(num_tokens, _TOKENS_A_BAND)


def _maps(reading: Reading) -> list[LayerValues]:
    """Return what is drawn: the states, and the output where it is no state."""
    is_state = any(np.array_equal(each.values, reading.output) for each in reading.states)
    output = [] if is_state else [LayerValues(reading.num_layers, "output", reading.output)]
    return [*reading.states, *output]


def _limit(maps: Sequence[LayerValues]) -> float:
    """Return the largest distance from zero, 1 where all is zero."""
    return max(float(np.abs(each.values).max()) for each in maps) or 1.0


def _labels(reading: Reading, token_width: float) -> _Labels:
    texts, families = drawable([shortened(visible(token), _LABEL_COLUMNS) for token in reading.tokens])
    lengths = [columns(text) * _INCHES_A_COLUMN for text in texts]
    are_long = [length > token_width for length in lengths]
    # of words all are turned or none
    are_turned = are_long if reading.unit == "character" else [any(are_long)] * len(texts)
    turned = [length for length, is_turned in zip(lengths, are_turned, strict=True) if is_turned]
    return _Labels(texts, families, are_turned, max([0.2, *turned]) + _GAP)


def _add_axes(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Add axes whose place is given in inches from the figure's upper left corner."""
    whole_width, whole_height = figure.get_size_inches()
    bottom = whole_height - top - height
    return figure.add_axes((left / whole_width, bottom / whole_height, width / whole_width, height / whole_height))


def _draw_map(axes: Axes, values: np.ndarray, limit: float) -> AxesImage:
    """Draw values (T, width), unit 1 at the top."""
    num_tokens, num_units = values.shape
    axes.set_xticks([])
    axes.set_yticks(sorted({1, num_units}))
    axes.tick_params(labelsize=_FONT_SIZE, length=2)
    axes.set_ylabel("unit", fontsize=_FONT_SIZE, labelpad=1)
    return axes.imshow(
        values.T,
        cmap="RdBu_r",
        vmin=-limit,
        vmax=limit,
        aspect="auto",
        interpolation="none",  # neighbours are other units: nothing lies between them
        extent=(-0.5, num_tokens - 0.5, num_units + 0.5, 0.5),
    )


def _draw_scale(figure: Figure, axes: Axes, image: AxesImage) -> None:
    limit = image.get_clim()[1]
    bar = figure.colorbar(image, cax=axes, ticks=[-limit, 0, limit])
    bar.ax.set_yticklabels([f"−{limit:.3g}", "0", f"{limit:.3g}"], fontsize=_FONT_SIZE)


def _label(axes: Axes, labels: _Labels, start: int) -> None:
    """Write the tokens of a band under its last map, as they are and never as mathematics."""
    texts = labels.texts[start : start + _TOKENS_A_BAND]
    axes.set_xticks(range(len(texts)), texts, parse_math=False, family=labels.families, fontsize=_FONT_SIZE)
    for text, is_turned in zip(axes.get_xticklabels(), labels.are_turned[start:], strict=False):
        text.set_rotation(90 if is_turned else 0)
