"""What all cells share: parameters, initialisation, initial state, and the checks of one step."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeAlias

import torch
from torch import Tensor

from recurra.cells.checks import check_flag, check_gate_biases, check_size
from recurra.cells.gates import Block, Filler, Init, check_init, reinitialize
from recurra.errors import ArgumentError, ShapeError

State: TypeAlias = Tensor | tuple[Tensor, ...]


class Cell(torch.nn.Module):
    """One step of a recurrence; a subclass states its facts as class attributes and its equations in ``forward``.

    ``forward(x, state)`` returns the new state: a tensor if the cell has one state, else a tuple whose first is
    the output. It is called through ``cell(x, state=None)``, which checks shapes, puts the initial state where none is
    given, and takes an unbatched step (x of shape (I,)) too.

    Parameters are ``weight_ih`` (rows, I), ``weight_hh`` (rows, width of the output) and ``bias_ih`` (rows,), with one
    block of H rows a gate, and what else :meth:`weight_shapes` names; those that a cell lacks are ``None``. Cells of
    torch's form, which have a second bias, derive from :class:`recurra.cells.torch_cell.TorchCell`.

    Args:
        input_size: Width I of x.
        hidden_size: Width H of a gate.
        bias: Whether there are biases.
        init: "published", "torch", "orthogonal", a name of ``torch.nn.init`` without the final underscore, or a
            callable that fills one gate's block in place; see :func:`recurra.cells.gates.initialize`. ``None`` is the
            class's ``default_init``.
        gate_biases: Where the biases of some gates start, by the gate's name, whatever ``init`` is: ``{"f": 1.0}`` is
            an LSTM's forget bias.
        device: Device of the parameters.
        dtype: Type of the parameters.

    Raises:
        ArgumentError: When a size is not an integer of at least one, ``gate_biases`` names no gate that has a bias, or
            the class names no states or gates.
        ChoiceError: When ``init`` is an unknown name.
    """

    states: ClassVar[tuple[str, ...]] = ()
    """Names of the states; the first is the output, unless the cell ``returns_output``."""
    gates: ClassVar[tuple[str, ...]] = ()
    """Names of the row blocks of the stacked weights, in order."""
    input_gates: ClassVar[tuple[str, ...] | None] = None
    """Row blocks of ``weight_ih``, where they are not ``gates``."""
    state_gates: ClassVar[tuple[str, ...] | None] = None
    """Row blocks of ``weight_hh``, where they are not ``gates``; with none there is no ``weight_hh``."""
    biases: ClassVar[tuple[str, ...]] = ("bias_ih",)
    """Which of ``bias_ih``, added to the input's product, and ``bias_hh``, added to the state's, the cell has."""
    candidates: ClassVar[tuple[str, ...]] = ()
    """Names in ``forward`` of what is newly written to memory; recurrent dropout acts on them."""
    memories: ClassVar[tuple[str, ...] | None] = None
    """States that may be kept by zoneout or learned at the start, where not all may: a clock, inputs that are looked
    back at and normalisers are none."""
    recurrent_weights: ClassVar[tuple[str, ...]] = ("weight_hh",)
    """Weights whose products read a state: those that start orthogonal, and that weight dropout and the like take."""
    peepholes: ClassVar[tuple[str, ...]] = ()
    """Row blocks of ``weight_ch``, the weights through which gates see c, where a cell has them."""
    has_other_input: ClassVar[bool] = False
    """Whether x enters by more than ``weight_ih`` (rows, I): as it is, by another matrix, or several steps of it."""
    state_products: ClassVar[tuple[str, ...]] = ("from_state",)
    """Methods that ``forward`` calls with the output of the step before; variational dropout acts on what they get."""
    inputs: ClassVar[tuple[str, ...]] = ("x",)
    """Names of what a step may be given; all but the first may be left out."""
    source: ClassVar[str] = ""
    """Key of the source in ``references.bib``."""
    gate_biases: ClassVar[Mapping[str, float]] = {}
    """Where a gate's bias starts, in every initialisation but "torch"."""
    default_init: ClassVar[str] = "published"
    """The initialisation where none is asked for."""
    state_range: ClassVar[Mapping[str, tuple[float, float]]] = {}
    """Least and largest value of a state that starts from the initial one, whatever weights and inputs are."""
    returns_output: ClassVar[bool] = False
    """Whether ``forward`` returns (output, state), because the output is no state."""

    input_size: int
    hidden_size: int
    bias: bool
    init: Init
    weight_ih: Tensor
    weight_hh: Tensor
    bias_ih: Tensor | None
    bias_hh: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        init: Init | None = None,
        gate_biases: Mapping[str, float] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        who = type(self).__name__
        if not self.states or not self.gates:
            raise ArgumentError(f"{who} expected its class to name states and gates, got {self.states}, {self.gates}")
        self.input_size = check_size(who, "input_size", input_size)
        self.hidden_size = check_size(who, "hidden_size", hidden_size)
        self.bias = check_flag(who, "bias", bias)
        self.init = check_init(who, self.default_init if init is None else init)
        shapes = self.weight_shapes()
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh", *shapes):
            absent = name not in shapes or (not bias and name.startswith("bias"))
            tensor = None if absent else torch.nn.Parameter(torch.empty(shapes[name], device=device, dtype=dtype))
            self.register_parameter(name, tensor)
        self.started_biases = check_gate_biases(who, gate_biases or {}, self._gates_with_bias())
        self.reset_parameters()

    def _gates_with_bias(self) -> list[str]:
        present = [name for name, _ in self.named_parameters(recurse=False) if name.startswith("bias")]
        return list(dict.fromkeys(gate for name in present for gate in self.row_names(name)))

    def row_names(self, name: str) -> tuple[str, ...]:
        """Name the row blocks of a parameter: gates, or its own name where it is one block.

        A parameter ``bias_f`` is the bias of the gate f.
        """
        if name in ("weight_ih", "bias_ih"):
            return self.gates if self.input_gates is None else self.input_gates
        if name in ("weight_hh", "bias_hh"):
            return self.gates if self.state_gates is None else self.state_gates
        if name == "weight_ch" and self.peepholes:
            return self.peepholes
        return (name.removeprefix("bias_"),)

    def gate_size(self, gate: str) -> int:
        """Return the rows of a gate's block: the hidden size, unless a cell says otherwise."""
        return self.hidden_size

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (self._rows("weight_ih"), self.input_size)}
        if self.row_names("weight_hh"):
            shapes["weight_hh"] = (self._rows("weight_hh"), self.state_size[0])
        return shapes | {name: (self._rows(name),) for name in self.biases}

    def _rows(self, name: str) -> int:
        return sum(map(self.gate_size, self.row_names(name)))

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of the states."""
        return (self.hidden_size,) * len(self.states)

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.state_size[0]

    @property
    def recurrent_size(self) -> int:
        """Width of what the methods named in ``state_products`` are given."""
        return self.state_size[0]

    @property
    def input_sizes(self) -> tuple[int, ...]:
        """Widths of what a step may be given, in the order of ``inputs``."""
        return (self.input_size,)

    def published(self) -> Mapping[str, Filler]:
        """Say how the source starts a parameter, by its name or as ``name.gate``; used where init is "published"."""
        return {}

    def starts(self) -> Mapping[str, Filler]:
        """Say how parameters start that are no weights of a product, by name or ``name.gate``, whatever init is."""
        return {}

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as ``init`` says, gate by gate.

        A parametrised weight is drawn as a whole and assigned through its parametrisation.
        """
        blocks = {name: self._blocks(name, shape) for name, shape in self.weight_shapes().items()}
        reinitialize(
            self,
            {name: name for name in blocks},
            blocks,
            self.hidden_size,
            init=self.init,
            recurrent=self.recurrent_weights,
            gate_biases=self.gate_biases,
            started_biases=self.started_biases,
            published=self.published(),
            starts=self.starts(),
        )

    def _blocks(self, name: str, shape: tuple[int, ...]) -> list[Block]:
        gates = self.row_names(name)
        return [Block(gates[0], shape[0])] if len(gates) == 1 else [Block(gate, self.gate_size(gate)) for gate in gates]

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: zeros, one (batch_size, width) tensor a state.

        Raises:
            ArgumentError: When ``batch_size`` is negative.
        """
        if batch_size < 0:
            raise ArgumentError(f"{type(self).__name__} expected batch_size to be at least 0, got {batch_size}")
        like = self.weight_ih
        zeros = tuple(like.new_zeros(batch_size, width) for width in self.state_size)
        return zeros if len(self.states) > 1 else zeros[0]

    def row_blocks(self, name: str) -> tuple[Tensor, ...]:
        """Return the row blocks of a parameter, one tensor a gate."""
        parts: tuple[Tensor, ...] = getattr(self, name).split([self.gate_size(gate) for gate in self.row_names(name)])
        return parts

    def from_input(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return W_x x + b_x, one (B, H) tensor a gate of the input."""
        product = torch.nn.functional.linear(x, self.weight_ih, self.bias_ih)
        parts: tuple[Tensor, ...] = product.split([self.gate_size(gate) for gate in self.row_names("weight_ih")], -1)
        return parts

    def from_state(self, h: Tensor, *gates: str) -> tuple[Tensor, ...]:
        """Return W_h h + b_h, one (B, H) tensor a gate.

        Args:
            h: The state, or what stands for it, (B, width of the output).
            gates: Some gates that follow each other in ``weight_hh``; none stands for all.
        """
        return self._product(h, "weight_hh", gates, self.bias_hh)

    def _product(
        self, value: Tensor, name: str, gates: tuple[str, ...] = (), bias: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Return the product with a stacked weight, one tensor a gate: those named, which follow each other, or all."""
        names = self.row_names(name)
        weight: Tensor = getattr(self, name)
        if gates:
            first = names.index(gates[0])
            assert names[first : first + len(gates)] == gates, f"{gates} do not follow each other in {names}"
            start = sum(map(self.gate_size, names[:first]))
            rows = slice(start, start + sum(map(self.gate_size, gates)))
            weight, bias = weight[rows], None if bias is None else bias[rows]
        product = torch.nn.functional.linear(value, weight, bias)
        parts: tuple[Tensor, ...] = product.split([self.gate_size(gate) for gate in gates or names], -1)
        return parts

    def __call__(self, x: Any, state: Any = None) -> Any:
        """Run one step.

        Args:
            x: Input of shape (B, I) or (I,), or a tuple whose first is that.
            state: A tensor, or a tuple of one tensor a state, each (B, width) or (width,); ``None`` is the
                initial state.

        Returns:
            The new state in the same form; cells with ``returns_output`` give (output, state).

        Raises:
            ShapeError: When x is no tensor and no such tuple, or a shape or the number of states is another.
        """
        first = self._check_x(x)
        if first.dim() == 1:
            return map_tensors(self(map_tensors(x, _add_row), map_tensors(state, _add_row)), _drop_row)
        return super().__call__(x, self._complete(state, first.shape[0]))

    def complete_state(self, x: Any, state: Any) -> Any:
        """Return the state that a batched step of x starts from: the one given, once it is checked, or the initial one.

        Raises:
            ShapeError: As for a step.
        """
        return self._complete(state, self._check_x(x).shape[0])

    def _check_x(self, x: Any) -> Tensor:
        """Return the first input of a step, once all are checked."""
        first = x[0] if isinstance(x, tuple) and x else x
        if isinstance(x, tuple) and len(self.inputs) > 1:
            self._check_inputs(x)
        elif not isinstance(first, Tensor) or first.dim() not in (1, 2) or first.shape[-1] != self.input_size:
            self._fail_on_input(first)
        found: Tensor = first
        return found

    def _complete(self, state: Any, batch_size: int) -> Any:
        if state is None:
            return self.initial_state(batch_size)
        self._check_state(state, batch_size)
        return state

    def _check_inputs(self, x: tuple[Tensor, ...]) -> None:
        sizes = self.input_sizes
        found = [tuple(tensor.shape) for tensor in x if isinstance(tensor, Tensor)]
        lead = found[0][:-1] if found else ()
        if len(sizes) != len(x) or found != [(*lead, size) for size in sizes] or len(lead) > 1:
            wanted = ", ".join(f"{name} ({size})" for name, size in zip(self.inputs, sizes, strict=True))
            raise ShapeError(
                f"{type(self).__name__} expected a step of the inputs {wanted} of equal batch, got shapes "
                f"[{', '.join(map(_kind, x))}]"
            )

    def _fail_on_input(self, x: object) -> None:
        hint = ""
        if isinstance(x, Tensor) and x.dim() in (1, 2):
            hint = f"build the cell with input_size={x.shape[-1]}, or project the input first"
        raise ShapeError(
            f"{type(self).__name__} expected x of shape (batch, input_size={self.input_size}), got {_kind(x)}",
            hint=hint,
        )

    def _check_state(self, state: Any, batch_size: int) -> None:
        widths = self.state_size
        if len(widths) == 1:
            given = (state,)
        else:
            given = state
            if not isinstance(state, tuple | list) or len(state) != len(widths):
                raise ShapeError(
                    f"{type(self).__name__} expected state to be a tuple ({', '.join(self.states)}), got {_kind(state)}"
                )
        for name, tensor, width in zip(self.states, given, widths, strict=True):
            if not isinstance(tensor, Tensor) or tensor.dim() != 2 or tensor.shape != (batch_size, width):
                raise ShapeError(
                    f"{type(self).__name__} expected state {name} of shape (batch={batch_size}, {width}), "
                    f"got {_kind(tensor)}"
                )

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        if not self.bias:
            parts.append("bias=False")
        for name, option in inspect.signature(type(self).__init__).parameters.items():
            value = vars(self).get(name, option.default)
            if option.kind is option.KEYWORD_ONLY and name not in ("init", "gate_biases") and value != option.default:
                parts.append(f"{name}={value!r}")
        if self.init != self.default_init:
            parts.append(f"init={self.init!r}")
        if self.started_biases:
            parts.append(f"gate_biases={self.started_biases!r}")
        return ", ".join(parts)


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple | list):
        return f"{len(value)} {'value' if len(value) == 1 else 'values'}"
    return type(value).__name__


def map_tensors(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    """Return a tensor, or nested tuples of them, with ``function`` applied to each; ``None`` stays."""
    if value is None or isinstance(value, Tensor):
        return value if value is None else function(value)
    return tuple(map_tensors(item, function) for item in value)


def _add_row(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(0)


def _drop_row(tensor: Tensor) -> Tensor:
    return tensor.squeeze(0)
