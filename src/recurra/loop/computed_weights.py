"""Weights that parametrisations compute: once a call, before anything else, whatever engine runs it.

So a parametrisation may draw random numbers, as DropConnect does: all steps share them, and every engine draws the
same.
The values lie with the call, in its thread, and while it lasts the modules find them there under the names of their
weights: torch's own cache is one for the whole process, in which threads would take each other's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.loop.copying import Copier
from recurra.loop.parametrized import PARAMETRIZATIONS, computed_names, plain_type, step_modules
from recurra.loop.surroundings import reads_parametrizations

if TYPE_CHECKING:
    from recurra.loop.plan import Plan

Values = Mapping[tuple[int, str], Any]
"""By the id of a module and the name of a weight, what its parametrisations computed."""
Places = Sequence[tuple[torch.nn.Module, str]]
"""Modules, and the names of their weights that are computed."""


class _Running(threading.local):
    """What the calls that run in a thread have computed, and for the innermost of them its cell, and where it has."""

    values: Values = MappingProxyType({})
    cell: torch.nn.Module | None = None
    places: Places = ()


_running = _Running()


class _Weight(property):
    """The property that torch gives a computed weight, changed to look first among what the running call has computed.

    Args:
        found: Torch's.
        name: Of the weight.
    """

    def __init__(self, found: property, name: str) -> None:
        compute: Any = found.fget

        def find(module: Any) -> Any:
            if torch.compiler.is_compiling():
                return compute(module)
            key = (id(module), name)
            return _running.values[key] if key in _running.values else compute(module)

        super().__init__(find, found.fset)


@contextlib.contextmanager
def computed_weights(cell: torch.nn.Module) -> Iterator[None]:
    """Compute all parametrised tensors of a module tree once for the time of a call, in the order of its modules.

    They are computed in the type of their parameters, also under autocast.
    What a call around this one has computed stays.
    """
    if torch.compiler.is_compiling():
        # what is traced is one call in one thread, and torch's compiler knows torch's cache
        with parametrize.cached():
            yield
        return
    around = _running.values
    places = _find_places(cell)
    if not places:
        yield
        return
    values = dict(around)
    with _without_autocast(places):
        for module, name in places:
            if (id(module), name) not in around:
                _look_in_call(type(module), name)
                values[id(module), name] = _compute(module, name)
    outer = (_running.cell, _running.places)
    _running.values, _running.cell, _running.places = values, cell, places
    try:
        yield
    finally:
        _running.values, (_running.cell, _running.places) = around, outer


def _find_places(cell: torch.nn.Module) -> Places:
    """Return the modules of a step and the names of their weights that are computed, in the order of the modules."""
    if _running.cell is cell:
        return _running.places
    return [(module, name) for module in step_modules(cell) for name in computed_names(module)]


def _compute(module: Any, name: str) -> Any:
    value = module.parametrizations[name]()
    # compiled code reads the memory as it lies there
    return value.resolve_conj().resolve_neg() if isinstance(value, Tensor) else value


def _look_in_call(cls: type, name: str) -> None:
    """Let a computed weight be looked for among what the running call has computed, from now on."""
    owner = next(base for base in cls.__mro__ if name in vars(base))
    found = vars(owner)[name]
    if not isinstance(found, _Weight):
        setattr(owner, name, _Weight(found, name))


@contextlib.contextmanager
def _without_autocast(places: Places) -> Iterator[None]:
    """Turn autocast off on the devices of what the weights are computed from."""
    if not torch._C._is_any_autocast_enabled():
        yield
        return
    parts = [module._modules[PARAMETRIZATIONS] for module, _ in places]
    tensors = [tensor for part in parts if part for tensor in (*part.parameters(), *part.buffers())]
    with contextlib.ExitStack() as stack:
        for device in {tensor.device.type for tensor in tensors}:
            if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


def tensors_computed(cell: torch.nn.Module) -> list[Tensor]:
    """Return the tensors that the running call has computed as weights of a module tree."""
    if not _running.values:
        return []
    values = (_running.values.get((id(module), name)) for module, name in _find_places(cell))
    return [value for value in values if isinstance(value, Tensor)]


def with_computed_weights(plan: Plan) -> tuple[Plan, Places]:
    """Return the plan with a copy of the cell that holds what the running call has computed as plain tensors.

    Autograd goes on from them to the parameters.
    The copy is without the parametrisations, whose attributes may change from call to call, unless a step looks at
    them.

    Returns:
        The plan, and the modules of the copy with the names of the weights that were computed.
    """
    if not _running.values:
        return plan, []
    places = _find_places(plan.cell)
    if not places:
        return plan, []
    has_rules = any(reads_parametrizations(plain_type(module)) for module in step_modules(plan.cell))
    copier = Copier({}, computed=_running.values, has_parametrizations=has_rules)
    own = dataclasses.replace(plan, cell=copier.copy(plan.cell))
    return own, [(copier.copy(module), name) for module, name in places]


def let_go(places: Places) -> None:
    """Put blanks in the places of computed tensors of a copy, for a call that has them by itself.

    Autograd keeps them until the backward pass, the copy would keep them, and their graph, as long as the output lives.
    """
    blanks: dict[int, Tensor] = {}
    for module, name in places:
        value = module.__dict__[name]
        # a parameter lives as long as its module anyway
        if isinstance(value, Tensor) and not isinstance(value, torch.nn.Parameter):
            module.__dict__[name] = blanks.setdefault(id(value), torch.empty(0))
