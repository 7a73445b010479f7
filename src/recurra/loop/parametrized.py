"""Modules some of whose weights ``torch.nn.utils.parametrize`` computes: what they are, and what belongs to their step.

Torch gives such a module a class of its own, with a property for each computed weight, and a child "parametrizations",
which holds the parameters that the weights are computed from.
"""

from __future__ import annotations

import torch

PARAMETRIZATIONS = "parametrizations"
"""The name of the child that holds what a module's weights are computed from."""


def computed_names(module: torch.nn.Module) -> list[str]:
    """Return the names of the weights of a module that are computed, in the order in which they were registered."""
    found = module._modules.get(PARAMETRIZATIONS)
    if not isinstance(found, torch.nn.ModuleDict):
        return []
    cls = type(module)
    return [name for name in found if isinstance(getattr(cls, name, None), property)]


def step_modules(cell: torch.nn.Module) -> list[torch.nn.Module]:
    """Return the modules of a tree that a step may run: all but what weights are computed from, in torch's order."""
    found: dict[torch.nn.Module, None] = {}
    waiting = [cell]
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found[module] = None
        skipped = PARAMETRIZATIONS if computed_names(module) else None
        children = [child for name, child in module._modules.items() if child is not None and name != skipped]
        waiting += reversed(children)
    return list(found)


def plain_type(cell: torch.nn.Module) -> type:
    """Return the class of ``cell`` as it was written: a parametrised module carries a class made on the fly."""
    names = computed_names(cell)
    if not names:
        return type(cell)
    made = next(base for base in type(cell).__mro__ if names[0] in vars(base))
    plain: type = made.__bases__[0]
    return plain
