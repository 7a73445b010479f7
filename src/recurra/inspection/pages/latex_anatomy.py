"""What a cell consists of, in a document of LaTeX."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from recurra.inspection.anatomy.describing import Anatomy, Weight
from recurra.inspection.anatomy.quantities import Quantity
from recurra.inspection.equations.latex import latex_symbol
from recurra.inspection.equations.terms import Symbol
from recurra.inspection.pages.inline_mathematics import size_latex, with_mathematics
from recurra.inspection.pages.latex_text import latex_text


def anatomy_lines(anatomy: Anatomy, spelled_out: Collection[str] = ()) -> Iterator[str]:
    """Yield the lines of a section: states, weights, operations, and what runs where.

    Args:
        anatomy: What the cell consists of.
        spelled_out: Names that are written letter by letter; see ``look_alikes.py``.
    """
    yield r"\subsection*{What it consists of}"
    sizes = f"Numbers are for input size d = {anatomy.input_size} and hidden size n = {anatomy.hidden_size}."
    if anatomy.condition:
        sizes += f" Formulas hold where {anatomy.condition}; otherwise the cell has other weights."
    yield rf"{_sentence(sizes)}\par\medskip"
    yield from _table("lll", ("", "name", "numbers"), _steps(anatomy, spelled_out))
    yield r"\subsubsection*{Weights}"
    # names wrap in a column of their own
    rows = (_weight(weight, spelled_out) for weight in anatomy.weights)
    yield from _table(r"lll@{\quad}p{6.5cm}", ("tensor", "shape", "", "in the equations"), rows)
    yield rf"\par\medskip Parameters: {_quantity(anatomy.num_parameters)}"
    yield r"\subsubsection*{Operations}"
    yield r"Floating-point operations of a step forward, for each row of the batch:\par\medskip"
    yield from _table("ll", ("", ""), _operations(anatomy))
    yield r"\subsubsection*{What runs where}"
    yield from _places(anatomy, spelled_out)


def _sentence(text: str, spelled_out: Collection[str] = ()) -> str:
    return with_mathematics(text, latex_text, lambda latex: f"${latex}$", spelled_out)


def _table(columns: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield rf"\begin{{tabular}}{{@{{}}{columns}@{{}}}}"
    yield r"  \toprule"
    if any(heads):
        yield rf"  {' & '.join(heads)} \\"
        yield r"  \midrule"
    yield from (rf"  {' & '.join(row)} \\" for row in rows)
    yield r"  \bottomrule"
    yield r"\end{tabular}"


def _steps(anatomy: Anatomy, spelled_out: Collection[str]) -> Iterator[tuple[str, str, str]]:
    for kind, parts in (("input", anatomy.inputs), ("state", anatomy.states)):
        yield from ((kind, _name(part.name, spelled_out), _quantity(part.width)) for part in parts)
    output = "its own" if anatomy.has_own_output else _name(anatomy.states[0].name, spelled_out)
    yield "output", output, _quantity(anatomy.output)


def _name(name: str, spelled_out: Collection[str]) -> str:
    return f"${latex_symbol(Symbol(name), spelled_out)}$"


def _weight(weight: Weight, spelled_out: Collection[str]) -> tuple[str, str, str, str]:
    formulas = f"({', '.join(size.formula or str(size.number) for size in weight.shape)})"
    numbers = f"({', '.join(str(size.number) for size in weight.shape)})"
    names = ", ".join(f"${latex_symbol(symbol, spelled_out)}$" for symbol in weight.symbols)
    return (
        rf"\texttt{{{latex_text(weight.path)}}}",
        f"${size_latex(formulas)}$",
        f"$= {numbers}$" if formulas != numbers else "",
        names if weight.is_trained else f"{names} (not trained)",
    )


def _operations(anatomy: Anatomy) -> Iterator[tuple[str, str]]:
    yield "products", _quantity(anatomy.products)
    elementwise = anatomy.elementwise
    yield (
        "element by element",
        "not known: the step cannot be traced" if elementwise is None else _quantity(elementwise),
    )


def _places(anatomy: Anatomy, spelled_out: Collection[str]) -> Iterator[str]:
    if anatomy.obstacle:
        yield f"All in the plain loop, operation after operation, since {latex_text(anatomy.obstacle)}."
        return
    yield rf"{_sentence('Over T steps of B rows:')}\par"
    yield r"\begin{description}"
    for place in anatomy.places:
        works = r" \newline ".join(_sentence(work, spelled_out) for work in place.works) or "nothing"
        yield rf"  \item[{latex_text(place.title.capitalize())}] \leavevmode\newline {works}"
    yield r"\end{description}"


def _quantity(number: Quantity) -> str:
    if not number.formula:
        return f"{number.number:,} (no formula of degree 2 in $d$ and $n$)"
    if number.formula == str(number.number):
        return f"${number.formula}$"
    return f"${size_latex(number.formula)} = {number.number}$" + (" (rounded)" if number.is_rounded else "")
