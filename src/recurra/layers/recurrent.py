"""The layer for any cell."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import State, find_cell
from recurra.cells.checks import check_flag, check_size
from recurra.errors import ArgumentError, ChoiceError, RecurraError, UnsupportedCellError
from recurra.layers.stack import MERGE_MODES, Stack, run_layer
from recurra.loop import Layout, check_engine, check_states, find_layout


class Recurrent(torch.nn.Module):
    """Layers of one kind of cell over sequences, in one direction or two.

    The cells are submodules ``cell_l0``, ``cell_l0_reverse``, ``cell_l1`` and so on.

    Args:
        cell: A class, a registered name, or ``"module:Class"``; any ``torch.nn.Module`` that takes
            (input_size, hidden_size, ...) and whose ``forward(x, state)`` returns the new state.
        input_size: Width I of the input.
        hidden_size: Width that each cell is built with.
        num_layers: Number of layers L.
        batch_first: Whether a padded input and the output are (B, T, ·) and not (T, B, ·). States are not concerned.
        dropout: Probability in [0, 1] that an output is zeroed between two layers, in training.
        bidirectional: Whether each layer has a second cell that reads from the end.
        merge_mode: How the outputs of two directions become one: "concat", "sum", "mean" or "mul".
        engine: As for :func:`recurra.unroll`.
        learn_initial_state: Whether the initial states are parameters, (L*D, width) each, named ``h_0``, ``c_0`` after
            the cell's states, zero at first. They are used where no state is given, and where ``reset`` is True.
        **cell_options: Passed to each cell: ``bias``, ``init``, ``device``, ``dtype``, and the cell's own.

    Attributes:
        output_size: Width of the output.
        state_widths: Width of each state.

    Raises:
        ArgumentError: When a size, a bool or a probability is none.
        ChoiceError: When ``cell``, ``merge_mode`` or ``engine`` is unknown.
        UnsupportedCellError: When the cell's class is not built or called as above, or the widths of a foreign cell
            cannot be known.

    Example:
        >>> layer = Recurrent("gru", 3, 4, num_layers=2, bidirectional=True)
        >>> output, h = layer(torch.zeros(5, 2, 3))
        >>> output.shape, h.shape
        (torch.Size([5, 2, 8]), torch.Size([4, 2, 4]))
    """

    def __init__(
        self,
        cell: str | type[torch.nn.Module],
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        engine: str = "auto",
        learn_initial_state: bool = False,
        **cell_options: Any,
    ) -> None:
        super().__init__()
        cell_class = find_cell(cell)
        self.input_size = check_size("Recurrent", "input_size", input_size)
        self.hidden_size = check_size("Recurrent", "hidden_size", hidden_size)
        self.num_layers = check_size("Recurrent", "num_layers", num_layers)
        self.batch_first = check_flag("Recurrent", "batch_first", batch_first)
        self.bidirectional = check_flag("Recurrent", "bidirectional", bidirectional)
        self.learn_initial_state = check_flag("Recurrent", "learn_initial_state", learn_initial_state)
        self.dropout = _check_dropout(dropout, num_layers)
        self.engine = check_engine("Recurrent", engine)
        if merge_mode not in MERGE_MODES:
            raise ChoiceError("merge_mode of Recurrent", merge_mode, MERGE_MODES)
        self.merge_mode = merge_mode
        layout = self._add_cells(cell_class, cell_options)
        self.state_widths = layout.widths
        self._has_bare_state = layout.is_bare
        self._state_names = self._name_states()
        if learn_initial_state:
            like = next(self.parameters(), torch.empty(0))
            for name, width in zip(self._state_names, layout.widths, strict=True):
                self.register_parameter(name, torch.nn.Parameter(like.new_zeros(self.num_cells, width)))

    @property
    def num_cells(self) -> int:
        """Number of cells, L*D."""
        return self.num_layers * (2 if self.bidirectional else 1)

    def _add_cells(self, cell_class: type[torch.nn.Module], options: dict[str, Any]) -> Layout:
        width = self.input_size
        for layer in range(self.num_layers):
            for suffix in self._suffixes():
                cell = _build_cell(cell_class, width, self.hidden_size, options)
                self.add_module(f"cell_l{layer}{suffix}", cell)
            layout = _layout_of(cell, width)
            is_doubled = self.bidirectional and self.merge_mode == "concat"
            width = layout.output_size * (2 if is_doubled else 1)
        self.output_size = width
        return layout

    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _cells(self) -> list[list[torch.nn.Module]]:
        return [
            [self.get_submodule(f"cell_l{layer}{suffix}") for suffix in self._suffixes()]
            for layer in range(self.num_layers)
        ]

    def _name_states(self) -> tuple[str, ...]:
        count = len(self.state_widths)
        names = getattr(self.get_submodule("cell_l0"), "states", None)
        if not isinstance(names, tuple) or len(names) != count:
            names = ("h", "c")[:count] if count <= 2 else tuple(f"s{k}" for k in range(1, count + 1))
        return tuple(f"{name}_0" for name in names)

    def reset_parameters(self) -> None:
        """Draw every cell's parameters anew, and set the learned initial states to zero.

        Raises:
            ArgumentError: When the cells have no ``reset_parameters``.
        """
        for cell in self.children():
            reset = getattr(cell, "reset_parameters", None)
            if not callable(reset):
                raise ArgumentError(f"Recurrent expected {type(cell).__name__} to have reset_parameters, got none")
            reset()
        if self.learn_initial_state:
            with torch.no_grad():
                for name in self._state_names:
                    getattr(self, name).zero_()

    def forward(
        self,
        input: Tensor | PackedSequence,
        state: State | None = None,
        *,
        lengths: Any = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, State]:
        """Run the layers over sequences.

        Args:
            input: (T, B, I), (B, T, I) if ``batch_first``, (T, I) for a single sequence, or a PackedSequence.
            state: The states before the first step, (L*D, B, width) each, layer by layer and in it direction by
                direction; a tensor for a cell with one state, else a tuple; (L*D, width) for a single sequence.
            lengths: Valid steps of each row (B,), 0 allowed; outputs behind them are zero.
            reset: Bool, of the form of ``input`` without its last axis; where True, the state entering that step is
                the initial one.

        Returns:
            The output of the last layer in the form of ``input``, of width ``output_size``; and the states after each
            row's last step, in the form of ``state``.

        Raises:
            ShapeError: When an argument is of another shape or type.
            ArgumentError: When a PackedSequence comes with ``lengths``.
            UnsupportedCellError: As for :func:`recurra.unroll`.
        """
        if state is not None:
            self._check_state(input, state)
        stack = Stack(
            who="Recurrent",
            cells=self._cells(),
            dropout=self.dropout,
            is_training=self.training,
            merge_mode=self.merge_mode,
            engine=self.engine,
            initial=self._learned_state(),
        )
        return run_layer(stack, input, state, lengths=lengths, reset=reset, batch_first=self.batch_first)

    def _learned_state(self) -> State | None:
        if not self.learn_initial_state:
            return None
        learned = tuple(getattr(self, name) for name in self._state_names)
        return learned[0] if self._has_bare_state else learned

    def _check_state(self, input: Tensor | PackedSequence, state: State) -> None:
        lead: tuple[int, ...] = (self.num_cells,)
        if isinstance(input, PackedSequence):
            lead += (int(input.batch_sizes[0]),)
        elif isinstance(input, Tensor) and input.dim() == 3:
            lead += (input.shape[0 if self.batch_first else 1],)
        check_states("Recurrent expected state", state, self.state_widths, is_bare=self._has_bare_state, lead=lead)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        defaults = {
            "num_layers": 1,
            "batch_first": False,
            "dropout": 0.0,
            "bidirectional": False,
            "merge_mode": "concat",
            "engine": "auto",
            "learn_initial_state": False,
        }
        changed = (
            f"{name}={getattr(self, name)!r}" for name, value in defaults.items() if getattr(self, name) != value
        )
        return ", ".join((str(self.input_size), str(self.hidden_size), *changed))


def _check_dropout(dropout: float, num_layers: int) -> float:
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout <= 1:
        raise ArgumentError(f"Recurrent expected dropout to be a probability in [0, 1], got {dropout!r}")
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} has no effect in Recurrent with one layer: it acts between layers only",
            UserWarning,
            stacklevel=3,
        )
    return float(dropout)


def _build_cell(
    cell_class: type[torch.nn.Module], input_size: int, hidden_size: int, options: dict[str, Any]
) -> torch.nn.Module:
    try:
        return cell_class(input_size, hidden_size, **options)
    except RecurraError:
        raise
    except TypeError as error:
        arguments = ", ".join(("input_size", "hidden_size", *(f"{name}=..." for name in options)))
        raise UnsupportedCellError(
            f"Recurrent expected {cell_class.__name__} to be a cell that is built from ({arguments}), got: {error}"
        ) from error


def _layout_of(cell: torch.nn.Module, input_size: int) -> Layout:
    """Return the widths of a cell's output and states, once it is sure that it can be called as a cell."""
    name = type(cell).__name__
    try:
        inspect.signature(cell.forward).bind(None, None)
    except TypeError as error:
        raise UnsupportedCellError(
            f"Recurrent expected {name} to be a cell that is called with (x, state), got: {error}",
            hint="a cell's forward takes the input of one step and the state before it, and returns the new state",
        ) from error
    try:
        return find_layout(cell, input_size)
    except (AttributeError, TypeError) as error:
        if isinstance(error, RecurraError):
            raise
        # what a call returned has no widths: it is neither a tensor nor a tuple of tensors
        raise UnsupportedCellError(
            f"Recurrent expected {name} to be a cell that returns its new state, a tensor or a tuple of tensors, "
            f"got something else from one call ({error})",
            hint="layers over whole sequences, such as torch.nn.LSTM, are no cells; torch.nn.LSTMCell is one",
        ) from error
