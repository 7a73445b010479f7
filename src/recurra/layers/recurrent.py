"""The layer for any cell."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.cells import find_cell
from recurra.cells.checks import check_flag, check_size
from recurra.errors import ArgumentError, ChoiceError, ShapeError
from recurra.layers.building import build_cell, check_hidden_sizes, initial_values, layout_of
from recurra.layers.dropout import check_mask
from recurra.layers.inputs import Sequences, check_extras, part_input
from recurra.layers.modifiers import Modifiers
from recurra.layers.stack import MERGE_MODES, Stack, run_layer
from recurra.layers.states import LayerState
from recurra.loop import Layout, check_engine, check_states, state_names
from recurra.loop.probing import like_weights


class Recurrent(torch.nn.Module):
    """Layers of one kind of cell over sequences, in one direction or two.

    The cells are submodules ``cell_l0``, ``cell_l0_reverse``, ``cell_l1`` and so on.

    Args:
        cell: A class, a registered name, or ``"module:Class"``; any ``torch.nn.Module`` that takes
            (input_size, hidden_size, ...) and whose ``forward(x, state)`` returns the new state.
        input_size: Width I of the input.
        hidden_size: Width that each cell is built with; or a sequence of one width a layer.
        num_layers: Number of layers L.
        batch_first: Whether a padded input and the output are (B, T, ·) and not (T, B, ·). States are not concerned.
        dropout: Probability in [0, 1] that an output is zeroed between two layers, in training.
        dropout_mask: "step" draws that for every element; "sequence" once for all steps of a row.
        input_dropout: Probability in [0, 1] that a unit of the first layer's input is zeroed for all steps of a row, in
            training.
        residual: Whether each layer but the first adds to its output what the layer below gave, before dropout.
        projection_size: Width to which a learned linear map without bias, ``projection_l0`` and so on, takes the output
            of each layer, its directions merged; ``None`` is no such map.
        bidirectional: Whether each layer has a second cell that reads from the end.
        merge_mode: How the outputs of two directions become one: "concat", "sum", "mean" or "mul".
        engine: As for :func:`recurra.unroll`.
        learn_initial_state: Whether the initial states are parameters, (L*D, width) each, named ``h_0``, ``c_0`` after
            the cell's states, zero at first. They are used where no state is given, and where ``reset`` is True.
            A cell with an initial state of its own starts from that instead. Where states are not stacked there is
            one for each cell, (width,) each, named ``h_0_l0``, ``h_0_l0_reverse`` and so on. Only the cell's
            ``memories`` are learned: clocks, past inputs and normalisers start as the cell has it, and so does an
            initial state that the cell learns by itself, as a unitary one does.
        **options: Those of :class:`recurra.layers.modifiers.Modifiers`, which every cell is given: ``zoneout``,
            ``recurrent_dropout``, ``recurrent_dropout_mask``, ``variational_dropout``, ``weight_dropout``,
            ``weight_norm``, ``orthogonal``, ``skip_through_time``. All others are passed to each cell: ``bias``,
            ``init``, ``device``, ``dtype``, and the cell's own.

    Attributes:
        output_size: Width of the output.
        state_widths: Width of each state; where not all cells have the same, a tuple of them for each cell.
        is_stacked: Whether all cells' states have the same widths, so that states are stacked: (L*D, B, width) each.
            If not, a state is a tuple of the state of each cell, layer by layer and in it direction by direction.

    Raises:
        ArgumentError: When a size, a bool or a probability is none, when widths do not agree that ``residual`` adds, or
            when a cell cannot be given what the options say.
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
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        dropout: float = 0.0,
        dropout_mask: str = "step",
        input_dropout: float = 0.0,
        bidirectional: bool = False,
        merge_mode: str = "concat",
        residual: bool = False,
        projection_size: int | None = None,
        engine: str = "auto",
        learn_initial_state: bool = False,
        **options: Any,
    ) -> None:
        super().__init__()
        cell_class = find_cell(cell)
        self.input_size = check_size("Recurrent", "input_size", input_size)
        self.num_layers = check_size("Recurrent", "num_layers", num_layers)
        self.hidden_sizes = check_hidden_sizes(hidden_size, num_layers)
        self.hidden_size = self.hidden_sizes if isinstance(hidden_size, tuple | list) else hidden_size
        self.batch_first = check_flag("Recurrent", "batch_first", batch_first)
        self.bidirectional = check_flag("Recurrent", "bidirectional", bidirectional)
        self.learn_initial_state = check_flag("Recurrent", "learn_initial_state", learn_initial_state)
        self.dropout = _check_probability("dropout", dropout)
        self.dropout_mask = check_mask("Recurrent", "dropout_mask", dropout_mask)
        self.input_dropout = _check_probability("input_dropout", input_dropout)
        self.residual = check_flag("Recurrent", "residual", residual)
        self.projection_size = projection_size
        if projection_size is not None:
            check_size("Recurrent", "projection_size", projection_size)
        self._warn_of_one_layer()
        self.engine = check_engine("Recurrent", engine)
        if merge_mode not in MERGE_MODES:
            raise ChoiceError("merge_mode of Recurrent", merge_mode, MERGE_MODES)
        self.merge_mode = merge_mode
        names = {field.name for field in dataclasses.fields(Modifiers)}
        self.modifiers = Modifiers(**{name: value for name, value in options.items() if name in names})
        layouts = self._add_cells(cell_class, {name: value for name, value in options.items() if name not in names})
        self._set_states(layouts)

    def _warn_of_one_layer(self) -> None:
        for name in ("dropout", "residual"):
            value = getattr(self, name)
            if value and self.num_layers == 1:
                warnings.warn(
                    f"{name}={value} has no effect in Recurrent with one layer: it acts between layers only",
                    UserWarning,
                    stacklevel=3,
                )

    @property
    def num_cells(self) -> int:
        """Number of cells, L*D."""
        return self.num_layers * (2 if self.bidirectional else 1)

    def _add_cells(self, cell_class: type[torch.nn.Module], options: dict[str, Any]) -> list[Layout]:
        layouts = []
        width = self.input_size
        for layer, hidden_size in enumerate(self.hidden_sizes):
            below = width
            for suffix in self._suffixes():
                build = functools.partial(build_cell, cell_class, hidden_size=hidden_size, options=options)
                cell = self.modifiers.build(build, below)
                self.add_module(f"cell_l{layer}{suffix}", cell)
                layouts.append(layout_of(cell, below))
            is_doubled = self.bidirectional and self.merge_mode == "concat"
            width = layouts[-1].output_size * (2 if is_doubled else 1)
            if self.projection_size is not None:
                self._add_projection(layer, width, self.projection_size)
                width = self.projection_size
            if self.residual and layer and width != below:
                raise ArgumentError(
                    f"Recurrent expected layers to be as wide as their inputs, as residual=True adds the two, "
                    f"got an input of width {below} and an output of width {width} in layer {layer}",
                    hint="projection_size gives all layers one width",
                )
        self.output_size = width
        return layouts

    def _add_projection(self, layer: int, width: int, projection_size: int) -> None:
        like = like_weights(self)
        projection = torch.nn.Linear(width, projection_size, bias=False, device=like.device, dtype=like.dtype)
        self.add_module(f"projection_l{layer}", projection)

    def _set_states(self, layouts: list[Layout]) -> None:
        """Settle the form of states, and make the learned ones."""
        self.is_stacked = len({layout.widths for layout in layouts}) == 1
        self._has_bare_state = layouts[0].is_bare
        self.state_widths: tuple[Any, ...] = layouts[0].widths
        if not self.is_stacked:
            self.state_widths = tuple(layout.widths for layout in layouts)
        self._state_names = self._name_states(len(layouts[0].widths))
        self._layouts = layouts
        if not self.learn_initial_state:
            return
        for name, value in self._initial_values():
            self.register_parameter(name, torch.nn.Parameter(value))

    def _initial_values(self) -> Iterator[tuple[str, Tensor]]:
        """Yield the name of each learned initial state and what it starts from."""
        cells = [cell for layer in self._cells() for cell in layer]
        values = [initial_values(cell, layout) for cell, layout in zip(cells, self._layouts, strict=True)]
        if self.is_stacked:
            columns = zip(*values, strict=True)
            for name, column in zip(self._state_names, columns, strict=True):
                learned = [tensor for tensor in column if tensor is not None]
                if learned:
                    yield name, torch.stack(learned)
            return
        for names, tensors in zip(self._names_by_cell(), values, strict=True):
            for name, tensor in zip(names, tensors, strict=True):
                if tensor is not None:
                    yield name, tensor.clone()

    def _names_by_cell(self) -> list[tuple[str, ...]]:
        places = [f"l{layer}{suffix}" for layer in range(self.num_layers) for suffix in self._suffixes()]
        return [tuple(f"{name}_{place}" for name in self._state_names) for place in places]

    def _suffixes(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _cells(self) -> list[list[torch.nn.Module]]:
        return [
            [self.get_submodule(f"cell_l{layer}{suffix}") for suffix in self._suffixes()]
            for layer in range(self.num_layers)
        ]

    def _name_states(self, count: int) -> tuple[str, ...]:
        return tuple(f"{name}_0" for name in state_names(self.get_submodule("cell_l0"), count))

    def reset_parameters(self) -> None:
        """Draw the parameters of every cell and projection anew, and set learned initial states to where they start.

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
                for name, value in self._initial_values():
                    # one that a cell learns by itself has no parameter here, also where it is frozen by now
                    if name in self._parameters:
                        getattr(self, name).copy_(value)

    def forward(
        self,
        input: Sequences | tuple[Sequences, ...],
        state: LayerState = None,
        *,
        lengths: Any = None,
        reset: Tensor | None = None,
    ) -> tuple[Tensor | PackedSequence, LayerState]:
        """Run the layers over sequences.

        Args:
            input: (T, B, I), (B, T, I) if ``batch_first``, (T, I) for a single sequence, or a PackedSequence. Or, where
                the cells take more than x, a tuple of such a sequence and of what is given to every cell of all layers
                beside its own x, in the same form, packed alike: ``(x, times)`` for "phased-lstm", times (T, B, 1).
            state: The states before the first step, (L*D, B, width) each, layer by layer and in it direction by
                direction; a tensor for a cell with one state, else a tuple; (L*D, width) for a single sequence. Where
                the cells' states differ in width (``is_stacked`` is False), a tuple of the state of each cell, each
                (B, width) or (width,).
            lengths: Valid steps of each row (B,), 0 allowed; outputs behind them are zero.
            reset: Bool, of the form of the sequence without its last axis; where True, the state entering that step is
                the initial one.

        Returns:
            The output of the last layer in the form of the sequence, of width ``output_size``; and the states after
            each row's last step, in the form of ``state``.

        Raises:
            ShapeError: When an argument is of another shape or type.
            ArgumentError: When a PackedSequence comes with ``lengths``.
            UnsupportedCellError: As for :func:`recurra.unroll`.
        """
        sequence, extras = part_input("Recurrent", input)
        if extras:
            check_extras("Recurrent", (cell for layer in self._cells() for cell in layer), extras)
        if state is not None:
            self._check_state(sequence, state)
        stack = Stack(
            who="Recurrent",
            cells=self._cells(),
            dropout=self.dropout,
            dropout_mask=self.dropout_mask,
            input_dropout=self.input_dropout,
            is_training=self.training,
            merge_mode=self.merge_mode,
            projections=self._projections(),
            residual=self.residual,
            engine=self.engine,
            initial=self._learned_states(),
            is_stacked=self.is_stacked,
        )
        return run_layer(
            stack, sequence, state, lengths=lengths, reset=reset, batch_first=self.batch_first, extras=extras
        )

    def _projections(self) -> list[torch.nn.Module]:
        if self.projection_size is None:
            return []
        return [self.get_submodule(f"projection_l{layer}") for layer in range(self.num_layers)]

    def _learned_states(self) -> list[LayerState]:
        """Return the learned state of each cell, in its form, with ``None`` for what is not learned here."""
        if not self.learn_initial_state:
            return []
        if not self.is_stacked:
            return [self._formed([getattr(self, name, None) for name in names]) for names in self._names_by_cell()]
        columns = [getattr(self, name, None) for name in self._state_names]
        return [self._formed([None if c is None else c[place] for c in columns]) for place in range(self.num_cells)]

    def _formed(self, learned: list[Tensor | None]) -> LayerState:
        return learned[0] if self._has_bare_state else tuple(learned)

    def _check_state(self, input: Tensor | PackedSequence, state: LayerState) -> None:
        lead: tuple[int, ...] = (self.num_cells,) if self.is_stacked else ()
        if isinstance(input, PackedSequence):
            lead += (int(input.batch_sizes[0]),)
        elif isinstance(input, Tensor) and input.dim() == 3:
            lead += (input.shape[0 if self.batch_first else 1],)
        who, is_bare = "Recurrent expected state", self._has_bare_state
        if self.is_stacked:
            check_states(who, state, self.state_widths, is_bare=is_bare, lead=lead)
            return
        if not isinstance(state, tuple | list) or len(state) != self.num_cells:
            found = f"{len(state)}" if isinstance(state, tuple | list) else type(state).__name__
            raise ShapeError(
                f"{who} to be a tuple of the states of {self.num_cells} cells, which differ in width, got {found}"
            )
        for k, (given, widths) in enumerate(zip(state, self.state_widths, strict=True)):
            check_states(f"{who}[{k}]", given, widths, is_bare=is_bare, lead=lead)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        changed = (
            f"{name}={getattr(self, name)!r}"
            for name, option in inspect.signature(Recurrent.__init__).parameters.items()
            if option.default is not option.empty and getattr(self, name) != option.default
        )
        given = (f"{name}={value!r}" for name, value in self.modifiers.changed().items())
        return ", ".join((str(self.input_size), str(self.hidden_size), *changed, *given))


def _check_probability(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ArgumentError(f"Recurrent expected {name} to be a probability in [0, 1], got {value!r}")
    return float(value)
