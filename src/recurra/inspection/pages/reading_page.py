"""How a trained model reads a text, as text, as a drawing, or as a page of HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

import numpy as np

from recurra.errors import ChoiceError
from recurra.inspection.figures import figure_svg
from recurra.inspection.pages.document import Part, document, figure
from recurra.inspection.reading.reader import Reading
from recurra.inspection.reading.state_maps import draw_states
from recurra.inspection.reading.text import reading_text
from recurra.inspection.reading.visible_tokens import marks_line, visible
from recurra.inspection.terminal_columns import shortened
from recurra.tasks.text.writing import unknown_line

FORMS = ("text", "html", "svg")
_TITLE_COLUMNS = 60
_SPACED_UNITS = ("word", "token")


def reading_page(reading: Reading, form: str, *, width: int) -> str:
    """Write a reading.

    Args:
        reading: What ``read_text`` returned.
        form: "text" for a terminal, "svg" for the heat maps of the states, or "html" for a page with both.
        width: Columns of the terminal.

    Returns:
        The whole text, file or page.

    Raises:
        ChoiceError: When the form is unknown.
        ArgumentError: When the width is too small for a text.
    """
    if form == "text":
        return "\n".join(reading_text(reading, width))
    if form == "svg":
        return figure_svg(draw_states(reading), _title(reading))
    if form == "html":
        parts = [_text_part(reading), _state_part(reading), _token_part(reading)]
        return document(_title(reading), _header(reading), parts)
    raise ChoiceError("format", form, FORMS)


def _title(reading: Reading) -> str:
    text = (" " if _is_spaced(reading) else "").join(reading.tokens)
    # spaces between words need no mark; a text of nothing else does
    shown = " ".join(map(visible, text.split())) or visible(text)
    return f"Read: {shortened(shown, _TITLE_COLUMNS)}"


def _is_spaced(reading: Reading) -> bool:
    return reading.unit in _SPACED_UNITS


def _header(reading: Reading) -> str:
    count = reading.num_tokens
    tokens = f"{count} token{'s' if count > 1 else ''}"
    words = [tokens if reading.unit == "token" else f"{tokens}, each a {reading.unit}"]
    if reading.condition is not None:
        words.append(f"read for {reading.condition}")
    bits = reading.surprisals[1:]
    if len(bits):
        words.append(f"the {len(bits)} behind the first cost {bits.sum():.2f} bits, {bits.mean():.2f} each")
    lines = [
        f"<h1>{escape(_title(reading))}</h1>",
        f'<p class="source">{escape("; ".join(words))}</p>',
        '<p class="note">The first token has nothing before it and so no probability.</p>',
    ]
    if reading.unknown:
        lines.append(f'<p class="note">{escape(_capitalized(unknown_line(reading.unknown)))}.</p>')
    return "\n".join(lines)


def _capitalized(text: str) -> str:
    return text[:1].upper() + text[1:]


def _text_part(reading: Reading) -> Part:
    """Return the text, each token the darker the more it surprises."""
    most = float(np.nanmax(reading.surprisals, initial=0.0)) or 1.0
    between = " " if _is_spaced(reading) else "<wbr>"
    spans = between.join(
        f'<span style="background: rgba(214, 110, 30, {0.7 * max(bits, 0.0) / most:.2f})" title="{bits:.2f} bits">'
        f"{_marked_up(token)}</span>{_break(token)}"
        for token, bits in zip(reading.tokens, np.nan_to_num(reading.surprisals).tolist(), strict=True)
    )
    shown = marks_line([*reading.tokens, *(choice.text for choices in reading.choices for choice in choices)])
    legend = f"The darker, the more bits a token costs: white 0, the darkest {most:.2f}."
    marks = f" {shown}." if shown else ""
    return Part("text", "What surprises", f'<p class="text">{spans}</p>\n<p class="note">{escape(legend + marks)}</p>')


def _marked_up(token: str) -> str:
    """Return a token as it is shown, whose letters from right to left do not turn around what stands beside it."""
    return f"<bdi>{escape(visible(token))}</bdi>"


def _break(token: str) -> str:
    return "<br>" if token.endswith("\n") else ""


def _token_part(reading: Reading) -> Part:
    """Return a table with one row a token."""
    num_choices = max(map(len, reading.choices))
    heads = ("number", "id", "token", "probability", "bits", "likeliest next", *[""] * (num_choices - 1))
    head = "".join(f"<th>{text}</th>" for text in heads)
    rows = "\n".join(f"<tr>{''.join(_cells(reading, place))}</tr>" for place in range(reading.num_tokens))
    table = f'<table class="listing tokens"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table>'
    return Part("tokens", "Token by token", f'<div class="wide">{table}</div>')


def _cells(reading: Reading, place: int) -> Iterator[str]:
    log_prob = float(reading.log_probs[place])
    prob, bits = ("–", "–")
    if not math.isnan(log_prob):
        prob, bits = f"{math.exp(log_prob):.1%}", f"{reading.surprisals[place]:.2f}"
    for text in (str(place + 1), str(reading.ids[place])):
        yield f'<td class="number">{text}</td>'
    yield f"<td><code>{_marked_up(reading.tokens[place])}</code></td>"
    for text in (prob, bits):
        yield f'<td class="number">{text}</td>'
    for choice in reading.choices[place]:
        yield f'<td><code>{_marked_up(choice.text)}</code> <span class="note">{choice.prob:.1%}</span></td>'


def _state_part(reading: Reading) -> Part:
    svg = figure_svg(draw_states(reading), f"States, {_title(reading)}")
    caption = "Tokens from left to right, units from top to bottom: blue is negative, white zero, red positive."
    return Part("states", "States", figure(svg, caption, is_natural=True))
