"""The constants of a step: what its equations have that is neither given nor trained."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.plain import plain_symbol
from recurra.inspection.equations.step import Step
from recurra.inspection.pages.document import listing
from recurra.inspection.pages.mathematics import mathml
from recurra.inspection.pages.matrices import matrix_latex
from recurra.inspection.worked_example.text import shown_number

_MAX_ENTRIES = 9
"""Constants of more numbers are told by their shapes alone."""


def constants_words(step: Step) -> str:
    """Say what constants are, and at which sizes they have these numbers."""
    input_size, state_size = step.shapes[step.inputs[0]][0], step.shapes[step.leaving[0]][0]
    return f"Neither given nor trained; at an input of {input_size} and a state of {state_size}:"


def constants_text(step: Step, digits: int) -> Iterator[str]:
    """Yield a line for each constant: its name, its shape, and its numbers where they are few."""
    rows = [(plain_symbol(symbol), _shape(array), array) for symbol, array in step.constants.items()]
    name_width, shape_width = (max(len(row[column]) for row in rows) for column in (0, 1))
    for name, shape, array in rows:
        numbers = f"  {_sign(array, digits, '≈')} {_numbers(array, digits)}" if array.size <= _MAX_ENTRIES else ""
        yield f"{name:<{name_width}}  {shape:<{shape_width}}{numbers}".rstrip()


def constants_table(step: Step, digits: int, spelled_out: Collection[str] = ()) -> str:
    """Return a table of the constants, as HTML."""
    rows = (
        (
            mathml(latex_symbol(symbol, spelled_out)),
            mathml(rf"{array.shape[0]} \times {array.shape[1]}"),
            mathml(f"{_sign(array, digits)} {matrix_latex(array, digits)}") if array.size <= _MAX_ENTRIES else "",
        )
        for symbol, array in step.constants.items()
    )
    return listing(rows, ("name", "shape", ""))


def constants_latex(step: Step, digits: int, spelled_out: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of an ``align*`` with the constants."""
    rows = []
    for symbol, array in step.constants.items():
        name = latex_symbol(symbol, spelled_out)
        row = rf"{name} &\in \mathbb{{R}}^{{{array.shape[0]} \times {array.shape[1]}}}"
        if array.size <= _MAX_ENTRIES:
            row += rf", & {name} &{_sign(array, digits)} {matrix_latex(array, digits)}"
        rows.append(row)
    yield r"\begin{align*}"
    yield from (rf"  {row} \\" for row in rows[:-1])
    yield f"  {rows[-1]}"
    yield r"\end{align*}"


def _shape(array: np.ndarray) -> str:
    return f"{array.shape[0]}×{array.shape[1]}"


def _numbers(array: np.ndarray, digits: int) -> str:
    if array.size == 1:
        return shown_number(array.item(), digits)
    rows = [[shown_number(entry, digits) for entry in row] for row in array]
    if array.shape[1] == 1:
        return f"({', '.join(row[0] for row in rows)})ᵀ"
    return f"[{'; '.join(' '.join(row) for row in rows)}]"


def _sign(array: np.ndarray, digits: int, rounded: str = r"\approx") -> str:
    """Return the sign between a constant and its numbers; 0.1 in float32 is meant to be 0.1."""
    shown = np.array([float(f"{entry:.{digits}g}") for entry in array.flat])
    return (
        "=" if np.array_equal(shown.astype(np.float32), array.ravel().astype(np.float32), equal_nan=True) else rounded
    )
