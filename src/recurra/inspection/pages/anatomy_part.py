"""What a cell consists of, as a part of a page of HTML."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from html import escape

from recurra.inspection.anatomy.describing import Anatomy, Weight
from recurra.inspection.anatomy.quantities import Quantity
from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.pages.document import Part, listing
from recurra.inspection.pages.equation_parts import sentence
from recurra.inspection.pages.inline_mathematics import size_latex
from recurra.inspection.pages.mathematics import mathml


def anatomy_part(anatomy: Anatomy, spelled_out: Collection[str] = ()) -> Part:
    """Return states, weights, operations, and what runs where.

    Args:
        anatomy: What the cell consists of.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.
    """
    inner = (
        ("anatomy-step", "A step"),
        ("anatomy-weights", "Weights"),
        ("anatomy-operations", "Operations"),
        ("anatomy-places", "What runs where"),
    )
    bodies = (
        _step(anatomy, spelled_out),
        _weights(anatomy, spelled_out),
        _operations(anatomy),
        _places(anatomy, spelled_out),
    )
    body = [f"<p>{_sizes(anatomy)}</p>"]
    for (name, title), part in zip(inner, bodies, strict=True):
        body += [f'<h3 id="{name}">{title}</h3>', *part]
    return Part("anatomy", "What it consists of", "\n".join(body), inner)


def _sizes(anatomy: Anatomy) -> str:
    sizes = f"Numbers are for input size d = {anatomy.input_size} and hidden size n = {anatomy.hidden_size}."
    if anatomy.condition:
        sizes += f" Formulas hold where {anatomy.condition}; otherwise the cell has other weights."
    return sentence(sizes)


def _step(anatomy: Anatomy, spelled_out: Collection[str]) -> Iterator[str]:
    kinds = (("input", anatomy.inputs), ("state", anatomy.states))
    rows = [(kind, _name(part.name, spelled_out), _quantity(part.width)) for kind, parts in kinds for part in parts]
    output = "its own" if anatomy.has_own_output else _name(anatomy.states[0].name, spelled_out)
    yield listing([*rows, ("output", output, _quantity(anatomy.output))], ("", "name", "numbers"))


def _name(name: str, spelled_out: Collection[str]) -> str:
    """Return the name of a state or an input as mathematics."""
    return mathml(latex_symbol(Symbol(name), spelled_out))


def _weights(anatomy: Anatomy, spelled_out: Collection[str]) -> Iterator[str]:
    rows = (_weight(weight, spelled_out) for weight in anatomy.weights)
    yield listing(rows, ("tensor", "shape", "", "in the equations", ""))
    yield f'<p class="large">{_quantity(anatomy.num_parameters)} parameters</p>'


def _weight(weight: Weight, spelled_out: Collection[str]) -> tuple[str, ...]:
    formulas = f"({', '.join(size.formula or str(size.number) for size in weight.shape)})"
    numbers = f"({', '.join(str(size.number) for size in weight.shape)})"
    names = ", ".join(mathml(latex_symbol(symbol, spelled_out)) for symbol in weight.symbols)
    is_told = formulas != numbers
    return (
        f"<code>{escape(weight.path)}</code>",
        mathml(size_latex(formulas)),
        mathml(f"= {numbers}") if is_told else "",
        names,
        "" if weight.is_trained else "not trained",
    )


def _operations(anatomy: Anatomy) -> Iterator[str]:
    yield "<p>Floating-point operations of a step forward, for each row of the batch:</p>"
    elementwise = "not known: the step cannot be traced"
    if anatomy.elementwise is not None:
        elementwise = _quantity(anatomy.elementwise)
    rows = [
        ("products", _quantity(anatomy.products), "a multiplication and the addition after it are two"),
        ("element by element", elementwise, "one for each number that the compiler computes, σ and tanh too"),
    ]
    yield listing(rows)


def _places(anatomy: Anatomy, spelled_out: Collection[str]) -> Iterator[str]:
    if anatomy.obstacle:
        yield f"<p>All in the plain loop, operation after operation, since {escape(anatomy.obstacle)}.</p>"
        return
    yield f"<p>{sentence('Over T steps of B rows, in the native engine:')}</p>"
    yield '<dl class="places">'
    for place in anatomy.places:
        yield f"<dt>{escape(place.title)}</dt>"
        yield from (f"<dd>{sentence(work, spelled_out)}</dd>" for work in place.works or ("nothing",))
    yield "</dl>"


def _quantity(number: Quantity) -> str:
    """Return a number with its formula."""
    if not number.formula:
        return f'{number.number:,} <span class="note">(no formula of degree 2 in d and n)</span>'
    if number.formula == str(number.number):
        return mathml(number.formula)
    rounded = ' <span class="note">(rounded)</span>' if number.is_rounded else ""
    return mathml(f"{size_latex(number.formula)} = {number.number}") + rounded
