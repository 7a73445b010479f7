"""Weights that parametrisations compute: once a call, before anything else, whatever engine runs it.

So a parametrisation may draw random numbers, as DropConnect does: all steps share them, and every engine draws the
same.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import parametrize

from recurra.loop.copying import copy_cell

if TYPE_CHECKING:
    from recurra.loop.plan import Plan


def compute_weights(cell: torch.nn.Module) -> None:
    """Have torch compute all parametrised tensors of a module tree, in the order of its modules, into its cache.

    They are computed in the type of their parameters, also under autocast.
    """
    modules = _parametrized(cell)
    if not modules:
        return
    with torch.autocast("cpu", enabled=False):
        for module in modules:
            for name in _names(module):
                getattr(module, name)


def with_computed_weights(plan: Plan) -> Plan:
    """Return the plan with a copy of the cell that holds what its parametrisations computed as plain tensors.

    Autograd goes on from them to the parameters.
    """
    if not _parametrized(plan.cell):
        return plan
    copy = copy_cell(plan.cell, {})
    for module, twin in list(zip(plan.cell.modules(), copy.modules(), strict=True)):
        if "parametrizations" in module._modules:
            twin.__class__ = parametrize.type_before_parametrizations(module)
            twin.__dict__.update({name: getattr(module, name) for name in _names(module)})
            del twin._modules["parametrizations"]
    return dataclasses.replace(plan, cell=copy)


def _parametrized(cell: torch.nn.Module) -> list[torch.nn.Module]:
    return [module for module in cell.modules() if "parametrizations" in module._modules]


def _names(module: torch.nn.Module) -> list[str]:
    parametrizations = module._modules["parametrizations"]
    assert isinstance(parametrizations, torch.nn.ModuleDict)
    return list(parametrizations)
