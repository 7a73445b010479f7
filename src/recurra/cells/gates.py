"""Initialisation of stacked weights, gate by gate.

A recurrent weight holds one row block a gate.
An initialiser that looks at a tensor's shape (Xavier, Kaiming, orthogonal) is meant for one block, and gives another
scale on the stack.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.errors import ArgumentError, ChoiceError

Init: TypeAlias = str | Callable[[Tensor], object]

#: The stacked weights by name; other two-dimensional weights are one block.
STACKED = ("weight_ih", "weight_hh")


def _is_usable(name: str, function: object) -> bool:
    # dirac_ fills convolution kernels only
    if name.startswith("_") or not name.endswith("_") or name == "dirac_" or not inspect.isfunction(function):
        return False
    first, *rest = inspect.signature(function).parameters.values()
    return first.name == "tensor" and all(p.default is not p.empty for p in rest)


@functools.cache
def init_names() -> tuple[str, ...]:
    """Name every initialisation: "torch", "orthogonal", and those of ``torch.nn.init`` that need a tensor only."""
    found = sorted(name[:-1] for name, function in vars(torch.nn.init).items() if _is_usable(name, function))
    return ("torch", "orthogonal", *(name for name in found if name != "orthogonal"))


def check_init(who: str, init: Init) -> Init:
    """Return ``init`` if it is a known name or a callable.

    Raises:
        ChoiceError: When the name is unknown.
        ArgumentError: When it is neither a name nor a callable.
    """
    if isinstance(init, str):
        if init not in init_names():
            raise ChoiceError(f"init of {who}", init, init_names())
    elif not callable(init):
        raise ArgumentError(f"{who} expected init to be a name or a callable that fills a weight block, got {init!r}")
    return init


def initialize(
    tensors: Mapping[str, Tensor | None],
    gates: Sequence[str],
    hidden_size: int,
    *,
    init: Init = "torch",
    gate_biases: Mapping[str, float] | None = None,
) -> None:
    """Fill the tensors of one cell in place.

    * ``"torch"``: every tensor from U(-1/sqrt(H), 1/sqrt(H)), drawn in the order of ``tensors`` as ``torch.nn`` does.
    * ``"orthogonal"``: Xavier-uniform input blocks, orthogonal recurrent blocks.
    * another name, or a callable: applied to each block by itself.

    In all but the first, biases are 0 but for ``gate_biases``, which go to ``bias_ih`` alone, since a cell adds
    both of its biases.

    Args:
        tensors: ``weight_ih`` (G*H, I), ``weight_hh`` (G*H, ·), ``bias_ih`` and ``bias_hh`` (G*H,) and what else the
            cell has, in order; an absent bias is ``None``.
        gates: Names of the row blocks in order.
        hidden_size: Rows of a block.
        init: A name of :func:`init_names`, or a callable that fills a block (H, ·) in place.
        gate_biases: Start of the bias of each gate named.

    Raises:
        ChoiceError: When ``init`` is an unknown name.
        ArgumentError: When ``init`` is neither a name nor a callable, or ``gate_biases`` names no gate.
    """
    check_init("initialize", init)
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with torch.no_grad():
        if init == "torch":
            bound = 1.0 / math.sqrt(hidden_size)
            for tensor in present.values():
                torch.nn.init.uniform_(tensor, -bound, bound)
            return
        for name, tensor in present.items():
            if tensor.dim() >= 2:
                _fill_weight(name, tensor, hidden_size, init)
            else:
                _fill_bias(name, tensor, gates, hidden_size, gate_biases or {})


def reinitialize(
    module: torch.nn.Module,
    attributes: Mapping[str, str],
    gates: Sequence[str],
    hidden_size: int,
    *,
    init: Init,
    gate_biases: Mapping[str, float],
) -> None:
    """Draw the tensors of a module anew, as :func:`initialize` does.

    A parametrised tensor is drawn as a whole and assigned through its parametrisation.

    Args:
        module: The owner.
        attributes: Its attribute for each name that :func:`initialize` knows, in order.
        gates: Names of the row blocks in order.
        hidden_size: Rows of a block.
        init: As for :func:`initialize`.
        gate_biases: As for :func:`initialize`.
    """
    computed = {name for name, attribute in attributes.items() if parametrize.is_parametrized(module, attribute)}
    tensors: dict[str, Tensor | None] = {name: getattr(module, attribute) for name, attribute in attributes.items()}
    for name in computed:
        tensors[name] = torch.empty_like(getattr(module, attributes[name]))
    initialize(tensors, gates, hidden_size, init=init, gate_biases=gate_biases)
    for name in computed:
        setattr(module, attributes[name], tensors[name])


def _fill_weight(name: str, weight: Tensor, hidden_size: int, init: Init) -> None:
    fill = _block_filler(name, init)
    for block in weight.split(hidden_size) if name in STACKED else (weight,):
        fill(block)


def _fill_bias(
    name: str, bias: Tensor, gates: Sequence[str], hidden_size: int, gate_biases: Mapping[str, float]
) -> None:
    unknown = sorted(set(gate_biases) - set(gates))
    if unknown:
        raise ArgumentError(
            f"initialize expected gate_biases to name gates of {tuple(gates)}, got {', '.join(unknown)}"
        )
    bias.zero_()
    if name == "bias_ih":
        for gate, block in zip(gates, bias.split(hidden_size), strict=True):
            block.fill_(gate_biases.get(gate, 0.0))


def _block_filler(name: str, init: Init) -> Callable[[Tensor], object]:
    if not isinstance(init, str):
        return init
    if init == "orthogonal":
        return fill_orthogonal if name == "weight_hh" else torch.nn.init.xavier_uniform_
    filler: Callable[[Tensor], object] = getattr(torch.nn.init, f"{init}_")
    return filler


def fill_orthogonal(block: Tensor) -> None:
    """Fill a block (rows, columns) in place with an orthogonal matrix, or a part of one if it is not square.

    Half-precision blocks are drawn in float32, since QR is not there for them.
    """
    if block.dtype in (torch.float16, torch.bfloat16):
        block.copy_(torch.nn.init.orthogonal_(torch.empty_like(block, dtype=torch.float32)))
    else:
        torch.nn.init.orthogonal_(block)
