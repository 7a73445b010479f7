"""Runs a cell once and notes what it computes: every operation as a term, every tensor with the names it was given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

from recurra.errors import UnsupportedCellError
from recurra.inspection.equations import matrix_operations, shape_operations
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.operations import FORMS
from recurra.inspection.equations.terms import Term
from recurra.inspection.equations.values import RANDOM, NoFormError, Value, no_form, shape_of
from recurra.inspection.equations.watching import Watcher, calling_place, run_watched

_FILL_FORMS = (matrix_operations, shape_operations)
"""Modules whose import fills FORMS."""
_FILLED = frozenset(
    ["zeros_like", "ones_like", "full_like", "new_zeros", "new_ones", "new_full", "zeros", "ones", "full"]
)
_RANDOM = frozenset(["bernoulli", "normal", "multinomial"])
"""What draws random numbers, beside all that begins with rand."""
_ABOUT_TENSORS = frozenset(
    """
    size shape dim ndim ndimension numel nelement len dtype device layout is_floating_point is_complex
    is_cuda is_mps is_meta is_sparse is_quantized is_nested is_leaf requires_grad is_contiguous stride
    storage_offset element_size itemsize nbytes data_ptr get_device type names grad grad_fn version
    is_tensor result_type can_cast promote_types register_hook retain_grad hash repr str format
    has_names untyped_storage storage is_inference is_same_size
    """.split()  # noqa: SIM905 - a list of sixty strings would not be read
)
"""What says nothing of the numbers in a tensor."""


@dataclass
class Node:
    """What an operation gave.

    Attributes:
        value: Its tensor; the term of it only points here.
        term: What was computed, of terms that point to nodes.
        place: The line of the cell.
    """

    value: Value
    term: Term
    place: str


@dataclass
class Recording:
    """All that a step computed.

    Attributes:
        nodes: By their numbers, to which terms of the operation ``node`` point.
        watcher: The names that tensors were given.
        result: What ``forward`` returned.
    """

    who: str
    nodes: list[Node] = field(default_factory=list)
    by_tensor: dict[int, Value] = field(default_factory=dict)
    watcher: Watcher | None = None
    result: Any = None

    def add(
        self,
        tensor: Tensor,
        term: Term | None,
        *,
        row_axis: int | None,
        is_constant: bool = False,
        is_fixed: bool = False,
        place: str = "",
    ) -> Value:
        """Note a tensor; without a term it is one that is given."""
        number = len(self.nodes)
        dims = list(tensor.shape)
        if row_axis is not None:
            del dims[row_axis]
        shape = shape_of(tuple(dims))
        value = Value(
            tensor, Term("node", value=number, shape=shape), row_axis, is_constant, is_fixed or is_constant, term
        )
        self.nodes.append(Node(value, value.term if term is None else term, place))
        self.by_tensor[id(tensor)] = value
        return value

    def add_unknown(self, tensor: Tensor, *, row_axis: int | None, is_constant: bool) -> Value:
        """Note a tensor that no term can hold; only what is made of constants alone may be made of it."""
        value = Value(tensor, Term("unknown"), row_axis, is_constant, is_constant)
        self.by_tensor[id(tensor)] = value
        return value

    def find(self, tensor: Tensor) -> Value | None:
        """Return what is known of a tensor."""
        found = self.by_tensor.get(id(tensor))
        return found if found is not None and found.tensor is tensor else None


class _Refusal(Exception):
    """Carries an error out of the cell; torch's operators would take an error of a type as one to try otherwise."""

    def __init__(self, error: UnsupportedCellError) -> None:
        super().__init__(error.message)
        self.error = error


class _Recorder(TorchFunctionMode):
    """Notes each operation while a cell runs.

    Args:
        recording: Where to.
        num_rows: Rows of the batch; no other size in the cell is a like number.
    """

    def __init__(self, recording: Recording, num_rows: int) -> None:
        super().__init__()
        self.recording, self.num_rows = recording, num_rows

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = _short_name(func)
        place = calling_place()
        values = self._values(args), self._values(kwargs)
        before = [(tensor, tensor._version) for tensor in _tensors_in((args, kwargs))]
        result = func(*args, **kwargs)
        changed = [tensor for tensor, version in before if tensor._version != version]
        if isinstance(result, Tensor) or (isinstance(result, tuple | list) and _tensors_in(result)):
            try:
                self._note(name, values, result, place, changed)
            except NoFormError as error:
                raise _Refusal(no_form(self.recording.who, name, place, str(error))) from error
        elif changed:
            raise _Refusal(no_form(self.recording.who, name, place, "it changes a tensor in place"))
        elif name not in _ABOUT_TENSORS and not all(value.is_fixed for value in _values_in(values)):
            why = "what the cell computes then depends on the numbers it gets"
            raise _Refusal(no_form(self.recording.who, name, place, why))
        return result

    def _values(self, item: Any) -> Any:
        """Return arguments with tensors replaced by values; a tensor seen first here is a constant."""
        if isinstance(item, Tensor):
            found = self.recording.find(item)
            if found is None:
                found = self._constant(item, "")
            return found
        if isinstance(item, tuple | list) and not isinstance(item, torch.Size):
            return (
                type(item)(map(self._values, item)) if not hasattr(item, "_fields") else tuple(map(self._values, item))
            )
        if isinstance(item, dict):
            return {key: self._values(value) for key, value in item.items()}
        return item

    def _constant(self, tensor: Tensor, place: str) -> Value:
        """Note a tensor that depends on nothing; one with a row for each of the batch must give all the same."""
        row_axis = 0 if tensor.dim() and tensor.shape[0] == self.num_rows else None
        if row_axis == 0:
            if not bool((tensor == tensor[:1]).all()):
                raise NoFormError("it gives the rows of the batch different numbers")
            dims = tuple(tensor.shape[1:])
        else:
            dims = tuple(tensor.shape)
        if len(dims) > 2:  # no term can hold it, and none will if all that is made of it is constant too
            return self.recording.add_unknown(tensor, row_axis=row_axis, is_constant=True)
        return self.recording.add(tensor, _filled(tensor, dims), row_axis=row_axis, is_constant=True, place=place)

    def _note(self, name: str, values: tuple[Any, Any], result: Any, place: str, changed: list[Tensor]) -> None:
        given = _values_in(values)
        self._check_change(name, result, changed)
        outputs = [result] if isinstance(result, Tensor) else [item for item in result if isinstance(item, Tensor)]
        if name in _RANDOM or name.startswith("rand"):
            raise NoFormError(RANDOM)
        if all(value.is_constant for value in given) or name in _FILLED:
            for tensor in outputs:
                self._constant(tensor, place)
            return
        try:
            self._note_outputs(name, values, given, result, outputs, place)
        except NoFormError:
            if not all(value.is_fixed for value in given):
                raise
            for tensor in outputs:  # made of buffers, which may be of any form
                self._constant(tensor, place)

    def _note_outputs(
        self, name: str, values: tuple[Any, Any], given: list[Value], result: Any, outputs: list[Tensor], place: str
    ) -> None:
        form = FORMS.get(name)
        if form is None:
            raise NoFormError("none is known")
        if any(value.term.op == "unknown" for value in given):
            raise NoFormError("it takes a tensor of three dimensions or more")
        axes = [self._row_axis(tensor, given) for tensor in outputs]
        dims = [_without(tuple(tensor.shape), axis) for tensor, axis in zip(outputs, axes, strict=True)]
        try:
            terms = form(dims[0] if isinstance(result, Tensor) else dims, *values[0], **values[1])
        except (TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
            raise NoFormError(f"it was called in a form that is not known here ({error})") from error
        terms = [terms] if isinstance(result, Tensor) else terms
        is_fixed = all(value.is_fixed for value in given)
        for tensor, axis, size, term in zip(outputs, axes, dims, terms, strict=True):
            if not torch.is_grad_enabled() and not term.is_number():
                term = t.function("stop", term)
            if term.shape != shape_of(size) and not term.is_number():
                raise NoFormError(f"its form came out as {term.shape} for {size}")
            if not is_fixed and not (tensor.is_floating_point() or tensor.dtype == torch.bool):
                raise NoFormError(f"its result is of {tensor.dtype}")
            self.recording.add(tensor, term, row_axis=axis, is_fixed=is_fixed, place=place)

    def _row_axis(self, tensor: Tensor, given: list[Value]) -> int | None:
        axes = [axis for axis, size in enumerate(tensor.shape) if size == self.num_rows]
        if not axes and all(value.row_axis is None for value in given):
            return None
        if len(axes) != 1:
            raise NoFormError("it mixes the rows of the batch")
        return axes[0]

    def _check_change(self, name: str, result: Any, changed: list[Tensor]) -> None:
        """Let a tensor be changed in place only where no other shares its numbers."""
        for tensor in changed:
            storage = tensor.untyped_storage().data_ptr()
            others = [v.tensor for v in self.recording.by_tensor.values() if v.tensor is not tensor]
            is_shared = any(other.untyped_storage().data_ptr() == storage for other in others)
            if tensor is not result or is_shared or isinstance(tensor, torch.nn.Parameter):
                raise NoFormError("it changes in place what is read elsewhere")


def _filled(tensor: Tensor, dims: tuple[int, ...]) -> Term | None:
    """Return a constant of one number as such; ``None`` for any other."""
    flat = tensor.reshape(-1)
    if tensor.dtype == torch.bool or not flat.numel() or not bool((flat == flat[0]).all()):
        return None
    shape, single = shape_of(dims), t.number(flat[0].item())
    return single if shape == (1, 1) else t.mul(single, t.ones(shape))


def _without(sizes: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    return sizes if axis is None else sizes[:axis] + sizes[axis + 1 :]


def _tensors_in(item: Any) -> list[Tensor]:
    if isinstance(item, Tensor):
        return [item]
    if isinstance(item, dict):
        item = tuple(item.values())
    return [found for part in item for found in _tensors_in(part)] if isinstance(item, tuple | list) else []


def _values_in(item: Any) -> list[Value]:
    if isinstance(item, Value):
        return [item]
    if isinstance(item, dict):
        item = tuple(item.values())
    return [found for part in item for found in _values_in(part)] if isinstance(item, tuple | list) else []


def _short_name(func: Callable[..., Any]) -> str:
    """Return the last part of an operation's name: ``add`` for ``torch.Tensor.__add__`` and ``add_``."""
    parts = (resolve_name(func) or getattr(func, "__name__", str(func))).split(".")
    name: str = parts[-2] if parts[-1] == "__get__" else parts[-1]
    return name.strip("_")


def record(
    cell: torch.nn.Module,
    x: Tensor | tuple[Tensor, ...],
    state: Any,
    given: Mapping[str, Tensor],
) -> Recording:
    """Run one step of a cell, and note it.

    Args:
        cell: A cell in float64, whose parameters have gradients.
        x: The input of a step, (B, ·), or a tuple of such tensors; B is a size that nothing else has.
        state: The state, in the cell's form.
        given: The cell's parameters and buffers by their paths.

    Returns:
        The recording; its first nodes are the inputs, the states, and what is given, in this order.

    Raises:
        UnsupportedCellError: When an operation has no mathematical form, naming it and its line.
    """
    recording = Recording(type(cell).__name__)
    recording.watcher = Watcher(type(cell).forward)
    for tensor in _tensors_in((x, state)):
        recording.add(tensor, None, row_axis=0)
    for tensor in given.values():
        is_parameter = isinstance(tensor, torch.nn.Parameter)
        is_constant = not is_parameter and not tensor.is_floating_point()
        if tensor.dim() > 2:
            recording.add_unknown(tensor, row_axis=None, is_constant=False)
        else:
            recording.add(tensor, None, row_axis=None, is_constant=is_constant, is_fixed=not is_parameter)
    number = _tensors_in((x, state))[0].shape[0]
    takes_state = len(inspect.signature(cell.forward).parameters) > 1
    try:
        with torch.enable_grad(), _Recorder(recording, number), recording.watcher.watching():
            recording.result = run_watched(cell, x, state) if takes_state else run_watched(cell, x)
    except _Refusal as refusal:
        raise refusal.error from refusal
    return recording
