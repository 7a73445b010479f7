"""What a cell consists of, as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from recurra.inspection.anatomy.describing import Anatomy, Weight
from recurra.inspection.anatomy.quantities import Quantity
from recurra.inspection.equations.plain import plain_symbol
from recurra.inspection.equations.terms import Symbol


def anatomy_text(anatomy: Anatomy) -> Iterator[str]:
    """Yield the lines of a description of a cell."""
    name = anatomy.class_name if anatomy.name == anatomy.class_name else f"{anatomy.name} ({anatomy.class_name})"
    yield f"{name} at input size d = {anatomy.input_size} and hidden size n = {anatomy.hidden_size}"
    if anatomy.condition:
        yield f"formulas hold where {anatomy.condition}; otherwise the cell has other weights"
    yield ""
    yield "step"
    yield from _columns(_step_rows(anatomy))
    yield ""
    yield "weights"
    yield from _columns([_weight_row(weight) for weight in anatomy.weights])
    yield f"  numbers in all parameters: {_said(anatomy.num_parameters)}"
    yield ""
    yield "floating-point operations of a step forward, for each row"
    yield from _columns(_operation_rows(anatomy))
    yield ""
    yield from _place_lines(anatomy)


def _step_rows(anatomy: Anatomy) -> Iterator[tuple[str, ...]]:
    for kind, parts in (("input", anatomy.inputs), ("state", anatomy.states)):
        yield from ((kind, plain_symbol(Symbol(part.name)), _said(part.width)) for part in parts)
    name = "its own" if anatomy.has_own_output else plain_symbol(Symbol(anatomy.states[0].name))
    yield "output", name, _said(anatomy.output)


def _weight_row(weight: Weight) -> tuple[str, ...]:
    names = ", ".join(map(plain_symbol, weight.symbols))
    end = ",)" if len(weight.shape) == 1 else ")"
    numbers = f"({', '.join(str(size.number) for size in weight.shape)}{end}"
    formulas = f"({', '.join(size.formula or str(size.number) for size in weight.shape)}{end}"
    row = (weight.path, formulas, f"= {numbers}", names if names != weight.path else "")
    return row if weight.is_trained else (*row, "not trained")


def _operation_rows(anatomy: Anatomy) -> Iterator[tuple[str, ...]]:
    yield "products", _said(anatomy.products), "a multiplication and the addition after it are two"
    if anatomy.elementwise is None:
        yield "element by element", "not known", "the step cannot be traced"
    else:
        yield (
            "element by element",
            _said(anatomy.elementwise),
            "one for each number that the compiler computes, σ and tanh too",
        )


def _place_lines(anatomy: Anatomy) -> Iterator[str]:
    if anatomy.obstacle:
        yield "what runs where"
        yield f"  all in the plain loop, operation after operation, since {anatomy.obstacle}"
        return
    yield "what runs where, over T steps of B rows"
    for place in anatomy.places:
        yield f"  {place.title}"
        yield from (f"    {work}" for work in place.works or ("nothing",))


def _said(quantity: Quantity) -> str:
    if not quantity.formula:
        return f"{quantity.number:,}, no formula of degree 2 in d and n"
    if quantity.formula == str(quantity.number):
        return quantity.formula
    return f"{quantity.formula} = {quantity.number:,}" + (" (rounded)" if quantity.is_rounded else "")


def _columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    rows = list(rows)
    widths = [max(len(row[k]) for row in rows if k < len(row)) for k in range(max(map(len, rows), default=0))]
    for row in rows:
        yield "  " + "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=False)).rstrip()
