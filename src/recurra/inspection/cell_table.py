"""What cells are and cost, side by side: sizes and operations by counting, time by measuring."""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from recurra.cells import Cell, find_cell, find_reference
from recurra.cells.checks import check_flag, check_size
from recurra.errors import ChoiceError, EngineFallbackWarning, RecurraError, UnsupportedCellError
from recurra.inspection.anatomy.counting import count_products
from recurra.loop import check_engine, find_layout, unroll

_ROUNDS = 5


@dataclass(frozen=True)
class TableSettings:
    """The sizes at which cells are built and measured.

    Raises:
        ArgumentError: When a size is not an integer of at least 1, or ``measure`` is no bool.
        ChoiceError: When ``engine`` is unknown.
    """

    input_size: int = 200
    """Width of the input."""
    hidden_size: int = 200
    """Width that each cell is built with."""
    batch_size: int = 32
    """Rows in the measurement."""
    steps: int = 50
    """Time steps in the measurement."""
    engine: str = "auto"
    """As for :func:`recurra.unroll`."""
    num_threads: int | None = None
    """CPU threads of PyTorch; ``None`` is what PyTorch chooses."""
    measure: bool = True
    """Whether cells are compiled and run; without it nothing takes time, and nothing is known of engines."""

    def __post_init__(self) -> None:
        for name in ("input_size", "hidden_size", "batch_size", "steps"):
            check_size("TableSettings", name, getattr(self, name))
        if self.num_threads is not None:
            check_size("TableSettings", "num_threads", self.num_threads)
        check_engine("TableSettings", self.engine)
        check_flag("TableSettings", "measure", self.measure)


@dataclass(frozen=True)
class CellFacts:
    """What a cell is and costs. What is not known, because it was not measured or went wrong, is ``None``.

    Attributes:
        name: What was asked for.
        class_name: The class behind the name.
        states: Names of the states; empty for a cell that names none.
        gates: Names of the gates, likewise.
        reference: The authors and the year of the source; empty where the cell names none.
        state_widths: Width of each state.
        num_parameters: Numbers in all parameters.
        operations: Floating-point operations of the products of one step forward, for one row, as
            ``torch.utils.flop_counter`` counts them in the plain loop.
        is_native: Whether the cell runs as machine code.
        obstacle: Why it does not.
        ms_per_step: Milliseconds of one step forward and backward, of the whole batch, compilation left out.
        error: What went wrong; empty if nothing did.
    """

    name: str
    class_name: str
    states: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    reference: str = ""
    state_widths: tuple[int, ...] | None = None
    num_parameters: int | None = None
    operations: int | None = None
    is_native: bool | None = None
    obstacle: str = ""
    ms_per_step: float | None = None
    error: str = ""


def iter_facts(names: Iterable[str], settings: TableSettings) -> Iterator[CellFacts]:
    """Return the facts of cells, one found after another; a cell that fails tells so in its ``error``.

    Args:
        names: Registered names, or ``"module:Class"``.
        settings: Sizes, engine, and whether to measure.

    Raises:
        ChoiceError: When a name is unknown; at once, and not when its turn comes.
        ArgumentError: When a module cannot be imported.
    """
    return _iter_facts([(name, find_cell(name)) for name in names], settings)


def _iter_facts(classes: Sequence[tuple[str, type[torch.nn.Module]]], settings: TableSettings) -> Iterator[CellFacts]:
    with _threads(settings.num_threads):
        for name, cell_class in classes:
            yield _facts(name, cell_class, settings)


@contextmanager
def _threads(number: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if number is not None:
        torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _facts(name: str, cell_class: type[torch.nn.Module], settings: TableSettings) -> CellFacts:
    known: dict[str, Any] = {
        "states": _names(cell_class, "states"),
        "gates": _names(cell_class, "gates"),
        "reference": _reference(cell_class),
    }
    try:
        # the values do not matter here, and orthogonal matrices take their time
        options = {"init": "torch"} if issubclass(cell_class, Cell) else {}
        cell = cell_class(settings.input_size, settings.hidden_size, **options)
        known["num_parameters"] = sum(p.numel() for p in cell.parameters())
        known["state_widths"] = find_layout(cell, settings.input_size).widths
        known["operations"] = count_products(cell, settings.input_size)
        if settings.measure:
            # gradients to x are asked for in both, so that one compiled step serves both
            x = torch.randn(settings.steps, settings.batch_size, settings.input_size, requires_grad=True)
            known["obstacle"] = _native_obstacle(cell, x)
            known["is_native"] = not known["obstacle"]
            known["ms_per_step"] = _measure(cell, x, settings.engine)
    except Exception as error:  # a cell may refuse a size in any way, and the others are still to come
        text = error.message if isinstance(error, RecurraError) else f"{type(error).__name__}: {error}"
        known["error"] = "" if text == known.get("obstacle") else text
    return CellFacts(name, cell_class.__name__, **known)


def _names(cell_class: type[torch.nn.Module], attribute: str) -> tuple[str, ...]:
    value = getattr(cell_class, attribute, ())
    return value if isinstance(value, tuple) and all(isinstance(name, str) for name in value) else ()


def _reference(cell_class: type[torch.nn.Module]) -> str:
    key = getattr(cell_class, "source", "")
    if not isinstance(key, str) or not key:
        return ""
    try:
        return find_reference(key).short()
    except ChoiceError:  # a cell from elsewhere cites in its own way
        return key


def _native_obstacle(cell: torch.nn.Module, x: Tensor) -> str:
    try:
        unroll(cell, x[:1], engine="native")
    except UnsupportedCellError as error:
        return error.message
    return ""


def _measure(cell: torch.nn.Module, x: Tensor, engine: str) -> float:
    times_s = []
    for _ in range(_ROUNDS + 1):  # the first compiles
        start_s = time.perf_counter()
        with warnings.catch_warnings():
            # the table says itself which cells run in the plain loop
            warnings.simplefilter("ignore", EngineFallbackWarning)
            output, _ = unroll(cell, x, engine=engine)
        torch.autograd.backward(output.sum())
        times_s.append(time.perf_counter() - start_s)
    return 1000 * statistics.median(times_s[1:]) / x.shape[0]
