"""What a layer of cells gives each of its cells: dropout inside the step, zoneout, computed weights, skipping."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from recurra.cells.checks import check_flag, check_number, check_size
from recurra.errors import ArgumentError
from recurra.layers.dropout import RecurrentDropout, VariationalDropout, check_mask
from recurra.layers.skipping import SkipThroughTime
from recurra.layers.weights import orthogonal, weight_dropout, weight_norm
from recurra.layers.zoneout import Zoneout
from recurra.loop import find_layout

_WHO = "Recurrent"

Build = Callable[[int], torch.nn.Module]
"""Builds a cell for an input of such a width."""


@dataclass(frozen=True)
class Modifiers:
    """What every cell of a layer is given; nothing by default.

    Raises:
        ArgumentError: When a value lies outside its range, or two exclude each other.
        ChoiceError: When ``recurrent_dropout_mask`` is unknown.
    """

    zoneout: float | Mapping[str, float] = 0.0
    """Probability that a unit keeps its old value, of the memories or by names of states; see ``Zoneout``."""
    recurrent_dropout: float = 0.0
    """Probability that a newly written value is dropped; see ``RecurrentDropout``."""
    recurrent_dropout_mask: str = "step"
    """Whether that is drawn at each "step", or once a "sequence"."""
    variational_dropout: float = 0.0
    """Probability that a unit is dropped for a whole sequence on its way into the recurrent product."""
    weight_dropout: float = 0.0
    """Probability that one of the cell's recurrent weights is dropped for a whole call."""
    weight_norm: bool = False
    """Whether recurrent weights are parted into lengths and directions of their rows."""
    orthogonal: bool = False
    """Whether each gate's block of the recurrent weights stays orthogonal."""
    skip_through_time: int | None = None
    """How many steps back lies the output that is read beside the input; ``None`` is no such reading."""

    def __post_init__(self) -> None:
        for name in ("recurrent_dropout", "variational_dropout", "weight_dropout"):
            check_number(_WHO, name, getattr(self, name), at_least=0, below=1)
        if not isinstance(self.zoneout, Mapping):
            check_number(_WHO, "zoneout", self.zoneout, at_least=0, at_most=1)
        check_mask(_WHO, "recurrent_dropout_mask", self.recurrent_dropout_mask)
        check_flag(_WHO, "weight_norm", self.weight_norm)
        check_flag(_WHO, "orthogonal", self.orthogonal)
        if self.weight_norm and self.orthogonal:
            raise ArgumentError(f"{_WHO} expected one of weight_norm and orthogonal, got both")
        if self.skip_through_time is not None:
            check_size(_WHO, "skip_through_time", self.skip_through_time)

    def changed(self) -> dict[str, Any]:
        """Return what is not at its default."""
        fields = dataclasses.fields(self)
        return {f.name: getattr(self, f.name) for f in fields if getattr(self, f.name) != f.default}

    def build(self, build: Build, input_size: int) -> torch.nn.Module:
        """Build a cell and give it what these say.

        Weights are computed, then comes what acts inside the step, then zoneout, and skipping last, so that what is
        read again later is the output as it was given.
        """
        cell = build(input_size) if self.skip_through_time is None else self._build_wider(build, input_size)
        if self.weight_norm:
            weight_norm(cell)
        if self.orthogonal:
            orthogonal(cell)
        if self.weight_dropout:
            weight_dropout(cell, self.weight_dropout)
        if self.recurrent_dropout:
            cell = RecurrentDropout(cell, self.recurrent_dropout, self.recurrent_dropout_mask)
        if self.variational_dropout:
            cell = VariationalDropout(cell, self.variational_dropout)
        if self.zoneout:
            cell = Zoneout(cell, self.zoneout)
        return cell if self.skip_through_time is None else SkipThroughTime(cell, self.skip_through_time)

    def _build_wider(self, build: Build, input_size: int) -> torch.nn.Module:
        """Build a cell whose input has room for an earlier output."""
        with torch.random.fork_rng(devices=[]):
            width = find_layout(build(input_size), input_size).output_size
        cell = build(input_size + width)
        found = find_layout(cell, input_size + width).output_size
        if found != width:
            raise ArgumentError(
                f"{_WHO} expected cells whose output_size is no matter of their input_size, as skip_through_time "
                f"widens the input by the output, got {type(cell).__name__} with {width} and then {found}"
            )
        return cell
