"""What a worked example puts behind a cell: an output layer and a loss, forward and backward."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from recurra.inspection.equations import terms
from recurra.inspection.equations.terms import Line, Shape, Symbol, Term

_NAMES = {
    "output": ("y", "u", "v", "readout"),
    "probabilities": ("p", "prob", "probabilities"),
    "target": ("q", "target", "goal"),
    "loss": ("L", "loss", "cost"),
}


@dataclass(frozen=True)
class Readout:
    """The output layer, the loss of a step, and their derivatives.

    Attributes:
        lines: The output, for classes their probabilities, and the loss of a step.
        gradients: The derivatives by the output and by the two weights.
        arriving: The derivative by the cell's output, as far as it comes from the loss of the same step.
        weight: The matrix (output_size, width of the cell's output).
        bias: The bias (output_size, 1).
        output: The layer's output.
        target: What it should be; for classes a column with one 1.
        loss: The loss of a step.
        total: The sum of the losses of all steps.
        shapes: The shapes of weight and bias.
    """

    lines: tuple[Line, ...]
    gradients: tuple[Line, ...]
    arriving: Line
    weight: Symbol
    bias: Symbol
    output: Symbol
    target: Symbol
    loss: Symbol
    total: Symbol
    shapes: dict[Symbol, Shape]


def build_readout(cell_output: Symbol, width: int, output_size: int, loss: str, taken: Iterable[str]) -> Readout:
    """Return the equations behind a cell.

    Args:
        cell_output: The cell's output.
        width: Its width.
        output_size: Width of the layer's output.
        loss: "cross-entropy" or "squared-error".
        taken: Names that the cell's equations have already.
    """
    names = _free_names(set(taken))
    output = Symbol(names["output"], 0)
    column = (output_size, 1)
    h, y = terms.name(cell_output, (width, 1)), terms.name(output, column)
    w = terms.name(Symbol(f"W_{output.name}", kind="weight"), (output_size, width))
    b = terms.name(Symbol(f"b_{output.name}", kind="weight"), column)
    q = terms.name(Symbol(names["target"], 0, kind="input"), column)
    loss_symbol = Symbol(names["loss"], 0)
    predicted, loss_term = _loss(y, q, Symbol(names["probabilities"], 0), loss)
    compared = y if predicted is None else terms.name(predicted.target, column)
    affine = Line(output, terms.add(terms.matmul(w, h), b))
    return Readout(
        lines=(affine, *([] if predicted is None else [predicted]), Line(loss_symbol, loss_term)),
        gradients=_gradients(w, h, b, Line(output.gradient, terms.sub(compared, q))),
        arriving=Line(cell_output.gradient, terms.matmul(terms.transpose(w), terms.name(output.gradient, column))),
        weight=w.value,
        bias=b.value,
        output=output,
        target=q.value,
        loss=loss_symbol,
        total=replace(loss_symbol, time=None),
        shapes={w.value: w.shape, b.value: b.shape},
    )


def _gradients(w: Term, h: Term, b: Term, of_output: Line) -> tuple[Line, ...]:
    """Return the derivatives by the output, by the matrix and by the bias."""
    d = terms.name(of_output.target, b.shape)
    of_weight = terms.matmul(d, terms.transpose(h))
    return (
        of_output,
        Line(w.value.gradient, of_weight, is_sum=True),
        Line(b.value.gradient, d, is_sum=True),
    )


def _loss(y: Term, q: Term, probabilities: Symbol, loss: str) -> tuple[Line | None, Term]:
    """Return the line of the probabilities, where there is one, and the loss of a step."""
    if loss == "squared-error":
        return None, terms.mul(terms.number(0.5), _total(terms.power(terms.sub(y, q), 2)))
    p = terms.name(probabilities, y.shape)
    # the product with a column of zeros and a 1 takes the probability of the right class
    chosen = terms.matmul(terms.transpose(q), p)
    return Line(probabilities, terms.function("softmax", y)), terms.neg(terms.function("log", chosen))


def _total(term: Term) -> Term:
    return terms.function("sum", term, shape=(1, 1))


def _free_names(taken: set[str]) -> dict[str, str]:
    """Return a name for each part that the cell does not use; primes are put to the last choice if need be."""
    found: dict[str, str] = {}
    for part, choices in _NAMES.items():
        *_, last = choices
        primed = (last + "′" * count for count in range(1, len(taken) + 2))
        found[part] = next(
            name for name in (*choices, *primed) if not {name, f"W_{name}", f"b_{name}"} & {*taken, *found.values()}
        )
    return found
