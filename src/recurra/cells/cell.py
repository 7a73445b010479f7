"""What all cells share: parameters, initialisation, initial state, and the checks of one step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self, TypeAlias

import torch
from torch import Tensor

from recurra.cells.checks import check_flag, check_size
from recurra.cells.gates import Init, check_init, reinitialize
from recurra.errors import ArgumentError, ShapeError

State: TypeAlias = Tensor | tuple[Tensor, ...]


class Cell(torch.nn.Module):
    """One step of a recurrence; a subclass states its facts as class attributes and its equations in ``forward``.

    ``forward(x, state)`` returns the new state: a tensor if the cell has one state, else a tuple whose first is
    the output. It is called through ``cell(x, state=None)``, which checks shapes, puts the initial state where none is
    given, and takes an unbatched step (x of shape (I,)) too.

    Parameters are those of ``torch.nn``'s cells: ``weight_ih`` (G*H, I), ``weight_hh`` (G*H, width of the output),
    ``bias_ih`` and ``bias_hh`` (G*H,), with one block of H rows a gate.

    Args:
        input_size: Width I of x.
        hidden_size: Width H of a gate.
        bias: Whether there are biases.
        init: "torch", "orthogonal", a name of ``torch.nn.init`` without the final underscore, or a callable that fills
            one gate's block in place; see :func:`recurra.cells.gates.initialize`.
        device: Device of the parameters.
        dtype: Type of the parameters.

    Raises:
        ArgumentError: When a size is not an integer of at least one, or the class names no states or gates.
        ChoiceError: When ``init`` is an unknown name.
    """

    states: ClassVar[tuple[str, ...]] = ()
    """Names of the states; the first is the output."""
    gates: ClassVar[tuple[str, ...]] = ()
    """Names of the row blocks of the stacked weights, in order."""
    source: ClassVar[str] = ""
    """Key of the source in ``references.bib``."""
    gate_biases: ClassVar[Mapping[str, float]] = {}
    """Where a gate's bias starts, in every initialisation but "torch"."""
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
        init: Init = "torch",
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
        self.init = check_init(who, init)
        for name, shape in self.weight_shapes().items():
            absent = not bias and name.startswith("bias")
            tensor = None if absent else torch.nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
            self.register_parameter(name, tensor)
        self.reset_parameters()

    @classmethod
    def from_weights(cls, **tensors: Tensor | None) -> Self:
        """Build a cell around tensors that are there already, at the cost of some microseconds.

        Nothing is copied or drawn: a Parameter stays the same object, another tensor (a computed weight) is a plain
        attribute.

        Args:
            tensors: By name, those of :meth:`weight_shapes`; biases may be left out, both or none.

        Raises:
            ShapeError: When a tensor is missing, unknown, or of a shape that does not fit the others.
        """
        cell = cls.__new__(cls)
        torch.nn.Module.__init__(cell)
        for name in ("weight_ih", "weight_hh"):
            if tensors.get(name) is None:
                raise ShapeError(f"{cls.__name__} expected a tensor for {name}, got none")
        given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        cell.__dict__.update(cell._sizes_of(given), bias="bias_ih" in given or "bias_hh" in given, init="torch")
        shapes = cell.weight_shapes()
        for name, shape in shapes.items():
            tensor = given.get(name)
            if tensor is None and (cell.bias or not name.startswith("bias")):
                raise ShapeError(f"{cls.__name__} expected a tensor for {name}, got none")
            if tensor is not None and tensor.shape != shape:
                raise ShapeError(f"{cls.__name__} expected {name} of shape {shape}, got {tuple(tensor.shape)}")
            if tensor is None or isinstance(tensor, torch.nn.Parameter):
                cell._parameters[name] = tensor
            else:
                cell.__dict__[name] = tensor
        if not given.keys() <= shapes.keys():
            extra = ", ".join(sorted(given.keys() - shapes.keys()))
            raise ShapeError(f"{cls.__name__} expected the tensors {', '.join(shapes)}, got {extra} too")
        return cell

    @classmethod
    def _sizes_of(cls, tensors: Mapping[str, Tensor]) -> dict[str, int]:
        weight = tensors["weight_ih"]
        if weight.dim() != 2 or weight.shape[0] % len(cls.gates):
            raise ShapeError(
                f"{cls.__name__} expected weight_ih of shape ({len(cls.gates)} * hidden_size, input_size), "
                f"got {tuple(weight.shape)}"
            )
        return {"input_size": weight.shape[1], "hidden_size": weight.shape[0] // len(cls.gates)}

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Give the shape of every parameter by name, in the order in which they are registered and drawn."""
        rows = len(self.gates) * self.hidden_size
        return {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, self.state_size[0]),
            "bias_ih": (rows,),
            "bias_hh": (rows,),
        }

    @property
    def state_size(self) -> tuple[int, ...]:
        """Widths of the states."""
        return (self.hidden_size,) * len(self.states)

    @property
    def output_size(self) -> int:
        """Width of the output."""
        return self.state_size[0]

    def reset_parameters(self) -> None:
        """Draw all parameters anew, as ``init`` says, gate by gate.

        A parametrised weight is drawn as a whole and assigned through its parametrisation.
        """
        attributes = {name: name for name in self.weight_shapes()}
        reinitialize(self, attributes, self.gates, self.hidden_size, init=self.init, gate_biases=self.gate_biases)

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

    def from_input(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return W_x x + b_x, one (B, H) tensor a gate."""
        return torch.nn.functional.linear(x, self.weight_ih, self.bias_ih).chunk(len(self.gates), -1)

    def from_state(self, h: Tensor) -> tuple[Tensor, ...]:
        """Return W_h h + b_h, one (B, H) tensor a gate."""
        return torch.nn.functional.linear(h, self.weight_hh, self.bias_hh).chunk(len(self.gates), -1)

    def __call__(self, x: Any, state: Any = None) -> Any:
        """Run one step.

        Args:
            x: Input of shape (B, I) or (I,), or a tuple whose first is that.
            state: A tensor, or a tuple of one tensor a state, each (B, width) or (width,); ``None`` is the
                initial state.

        Returns:
            The new state in the same form; cells with ``returns_output`` give (output, state).

        Raises:
            ShapeError: When a shape or the number of states is another.
        """
        first = x[0] if isinstance(x, tuple) else x
        if first.dim() not in (1, 2) or first.shape[-1] != self.input_size:
            self._fail_on_input(tuple(first.shape))
        if first.dim() == 1:
            return _map(self(_map(x, _add_row), _map(state, _add_row)), _drop_row)
        if state is None:
            state = self.initial_state(first.shape[0])
        else:
            self._check_state(state, first.shape[0])
        return super().__call__(x, state)

    def _fail_on_input(self, shape: tuple[int, ...]) -> None:
        hint = ""
        if len(shape) in (1, 2):
            hint = f"build the cell with input_size={shape[-1]}, or project the input first"
        raise ShapeError(
            f"{type(self).__name__} expected x of shape (batch, input_size={self.input_size}), got {shape}", hint=hint
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
        if self.init != "torch":
            parts.append(f"init={self.init!r}")
        return ", ".join(parts)


def _kind(value: object) -> str:
    if isinstance(value, Tensor):
        return str(tuple(value.shape))
    if isinstance(value, tuple | list):
        return f"{len(value)} {'value' if len(value) == 1 else 'values'}"
    return type(value).__name__


def _map(value: Any, function: Any) -> Any:
    if value is None or isinstance(value, Tensor):
        return value if value is None else function(value)
    return tuple(_map(item, function) for item in value)


def _add_row(tensor: Tensor) -> Tensor:
    return tensor.unsqueeze(0)


def _drop_row(tensor: Tensor) -> Tensor:
    return tensor.squeeze(0)
