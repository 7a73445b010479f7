"""Weights of cells into the parameters of a module: all of them, or none where one does not fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.errors import ArgumentError, ShapeError
from recurra.layers.conversion import torch_format
from recurra.layers.conversion.cell_weights import CellWeights, Layers
from recurra.layers.conversion.places import Place, Places, computed_in, walk_places
from recurra.layers.conversion.request import Request

_WHO = "load_weights"


def fill_places(module: torch.nn.Module, kind: str, places: Places, layers: Layers) -> None:
    """Put weights into a module.

    Args:
        module: The module, for messages.
        kind: Its kind.
        places: Where its weights lie.
        layers: What belongs there.

    Raises:
        ShapeError: When there are other layers, directions, biases or widths.
        ArgumentError: When a weight is no parameter, is on the meta device or is tied to one that would get other
            values, or a value is too large for the module's type.
    """
    _check_targets(places)
    assignments = list(_assign(module, kind, places, layers))
    _check_ties(assignments)
    with torch.no_grad():
        for assignment in assignments:
            assignment.target.copy_(assignment.value)


def no_parameter(who: str, place: Place, name: str) -> ArgumentError:
    """Return the error for a weight that is no parameter, and that no parametrisation computes."""
    return ArgumentError(
        f"{who} expected weights that are parameters, got {place.prefix}{name}, which is none",
        hint="torch.nn.utils.remove_weight_norm and torch.nn.utils.prune.remove turn what they computed into one",
    )


def _check_targets(places: Places) -> None:
    """Check that every weight is a parameter that can be filled."""
    for place, name in walk_places(places):
        if name in computed_in(place):
            raise ArgumentError(
                f"{_WHO} expected weights that are parameters, got {place.prefix}{name}, computed by a parametrisation",
                hint="load first, then add weight dropout, weight norm and the like",
            )
        target = place.owner._parameters.get(name)
        if target is None:
            raise no_parameter(_WHO, place, name)
        if target.is_meta:
            raise ArgumentError(
                f"{_WHO} expected weights that hold numbers, got {place.prefix}{name} on the meta device",
                hint='module.to_empty(device="cpu") makes room for them',
            )


@dataclass(frozen=True)
class _Assignment:
    """A tensor of a module, and what belongs there, in its shape and type."""

    name: str
    target: Tensor
    value: Tensor


def _assign(module: torch.nn.Module, kind: str, places: Places, layers: Layers) -> Iterator[_Assignment]:
    who = type(module).__name__
    wanted, got = ([len(layer) for layer in nested] for nested in (places, layers))
    if wanted != got:
        raise ShapeError(
            f"{_WHO} expected weights of {len(wanted)} layers with {wanted[0]} directions each for {who}, "
            f"got {len(got)} layers with {' and '.join(map(str, sorted(set(got))))}"
        )
    request = Request(_WHO, kind, "torch-cell")
    for layer_places, layer in zip(places, layers, strict=True):
        for place, cell in zip(layer_places, layer, strict=True):
            yield from _assign_cell(who, request, place, cell)


def _assign_cell(who: str, request: Request, place: Place, cell: CellWeights) -> Iterator[_Assignment]:
    has_bias = "bias_ih" in place.names
    if has_bias != cell.has_bias:
        words = ("biases", "none") if has_bias else ("no biases", "some")
        raise ShapeError(
            f"{_WHO} expected {words[0]} for {who}, got {words[1]}",
            hint=f"build the module with bias={cell.has_bias}",
        )
    values = torch_format.write_cell(request, cell, list(place.names))
    for role, attribute in place.names.items():
        target, name = getattr(place.owner, attribute), f"{place.prefix}{attribute}"
        if tuple(target.shape) != values[role].shape:
            raise ShapeError(
                f"{_WHO} expected {name} of shape {tuple(target.shape)} for {who}, got {values[role].shape}",
                hint=f"build the module with input_size={cell.input_size}, hidden_size={cell.hidden_size}",
            )
        yield _Assignment(name, target, _round(name, torch.from_numpy(values[role]), target.dtype))


def _round(name: str, value: Tensor, dtype: torch.dtype) -> Tensor:
    rounded = value.to(dtype)
    lost = value.isfinite() & ~rounded.isfinite()
    if lost.any():
        raise ArgumentError(
            f"{_WHO} expected values of {name} that {str(dtype).removeprefix('torch.')} holds, "
            f"got {value[lost][0].item():g}",
            hint=f"build the module with dtype={value.dtype}",
        )
    return rounded


def _check_ties(assignments: Sequence[_Assignment]) -> None:
    """Check that no weight would be overwritten by another that lies in the same memory."""
    groups = defaultdict(list)
    for assignment in assignments:
        target = assignment.target
        groups[target.device, target.dtype, target.untyped_storage().data_ptr()].append(assignment)
    for group in groups.values():
        if len(group) > 1:
            _check_group(group)


def _check_group(group: Sequence[_Assignment]) -> None:
    """Write values into memory of the same layout, and see whether they are still there."""
    first = group[0].target
    memory = torch.empty(first.untyped_storage().nbytes() // first.element_size(), dtype=first.dtype)
    trials = [memory.as_strided(a.target.size(), a.target.stride(), a.target.storage_offset()) for a in group]
    for trial, assignment in zip(trials, group, strict=True):
        trial.copy_(assignment.value)
    for trial, assignment in zip(trials, group, strict=True):
        if not torch.isclose(trial, assignment.value, rtol=0, atol=0, equal_nan=True).all():
            raise ArgumentError(
                f"{_WHO} expected equal values where weights are tied, got others for {assignment.name} than for "
                "one that shares its memory",
                hint="give each its own torch.nn.Parameter, or load weights that are tied too",
            )
