"""Initialisation of stacked weights, gate by gate.

A recurrent weight holds one row block a gate.
An initialiser that looks at a tensor's shape (Xavier, Kaiming, orthogonal) is meant for one block, and gives another
scale on the stack.
"""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from recurra.errors import ArgumentError, ChoiceError

Init: TypeAlias = str | Callable[[Tensor], object]
Filler: TypeAlias = Callable[[Tensor], object]


class Block(NamedTuple):
    """Rows of a parameter that belong together: a gate's, or all."""

    gate: str
    rows: int


def _is_usable(name: str, function: object) -> bool:
    # dirac_ fills convolution kernels only
    if name.startswith("_") or not name.endswith("_") or name == "dirac_" or not inspect.isfunction(function):
        return False
    first, *rest = inspect.signature(function).parameters.values()
    return first.name == "tensor" and all(p.default is not p.empty for p in rest)


@functools.cache
def init_names() -> tuple[str, ...]:
    """Name every initialisation: "published", "torch", "orthogonal", those of ``torch.nn.init`` that need a tensor."""
    found = sorted(name[:-1] for name, function in vars(torch.nn.init).items() if _is_usable(name, function))
    return ("published", "torch", "orthogonal", *(name for name in found if name != "orthogonal"))


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
    blocks: Mapping[str, Sequence[Block]],
    hidden_size: int,
    *,
    recurrent: Collection[str],
    init: Init = "torch",
    gate_biases: Mapping[str, float] | None = None,
    started_biases: Mapping[str, float] | None = None,
    published: Mapping[str, Filler] | None = None,
    starts: Mapping[str, Filler] | None = None,
) -> None:
    """Fill the tensors of one cell in place.

    * ``"torch"``: every tensor from U(-1/sqrt(H), 1/sqrt(H)), drawn in the order of ``tensors`` as ``torch.nn`` does.
    * ``"orthogonal"``: orthogonal blocks of the recurrent weights, Xavier-uniform blocks of the others.
    * ``"published"``: what ``published`` says, and "orthogonal" for the rest.
    * another name, or a callable: applied to each block by itself.

    In all but the first, biases are 0 but for ``gate_biases``, which go to the first bias of a gate alone, since a
    cell adds both of its biases.

    Args:
        tensors: ``weight_ih`` (rows, I), ``weight_hh`` (rows, ·), ``bias_ih`` and ``bias_hh`` (rows,) and what else the
            cell has, in order; an absent bias is ``None``. What begins with "bias" is a bias.
        blocks: The row blocks of each tensor, in order.
        hidden_size: Width H.
        recurrent: Names of the weights whose products read a state.
        init: A name of :func:`init_names`, or a callable that fills a block (H, ·) in place.
        gate_biases: Start of the bias of each gate named, in all but "torch".
        started_biases: The same in every initialisation.
        published: What "published" does to a tensor or block, by name, or as ``name.gate``.
        starts: The same in every initialisation.

    Raises:
        ChoiceError: When ``init`` is an unknown name.
        ArgumentError: When ``init`` is neither a name nor a callable, or a gate named has no bias.
    """
    check_init("initialize", init)
    present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    gates = dict.fromkeys(block.gate for name in tensors if name.startswith("bias") for block in blocks[name])
    for biases in (gate_biases, started_biases):
        unknown = sorted(set(biases or {}) - set(gates))
        if unknown:
            raise ArgumentError(
                f"initialize expected gate_biases to name gates of {tuple(gates)}, got {', '.join(unknown)}"
            )
    own = dict(starts or {})
    if init == "published":
        own = dict(published or {}) | own
    with torch.no_grad():
        _fill_all(present, blocks, hidden_size, recurrent, init, own)
        _fill_biases(present, blocks, {} if init == "torch" else gate_biases or {}, own, overwrite=False)
        _fill_biases(present, blocks, started_biases or {}, {}, overwrite=True)


def _fill_all(
    tensors: Mapping[str, Tensor],
    blocks: Mapping[str, Sequence[Block]],
    hidden_size: int,
    recurrent: Collection[str],
    init: Init,
    own: Mapping[str, Filler],
) -> None:
    bound = 1.0 / math.sqrt(hidden_size)
    for name, tensor in tensors.items():
        if name not in own and init == "torch":
            torch.nn.init.uniform_(tensor, -bound, bound)
        elif name not in own and tensor.dim() < 2:
            tensor.zero_()
        for gate, part in _parts(tensor, blocks[name]):
            fill = own.get(f"{name}.{gate}") or own.get(name)
            if fill is None and init != "torch" and tensor.dim() >= 2:
                fill = _block_filler(init, is_recurrent=name in recurrent)
            if fill is not None:
                fill(part)


def _parts(tensor: Tensor, blocks: Sequence[Block]) -> list[tuple[str, Tensor]]:
    parts = tensor.split([block.rows for block in blocks])
    return [(block.gate, part) for block, part in zip(blocks, parts, strict=True)]


def _fill_biases(
    tensors: Mapping[str, Tensor],
    blocks: Mapping[str, Sequence[Block]],
    starts: Mapping[str, float],
    own: Mapping[str, Filler],
    *,
    overwrite: bool,
) -> None:
    """Give each gate's first bias its start, and where a value is overwritten the gate's other biases 0."""
    filled: set[str] = set()
    for name, tensor in tensors.items():
        if not name.startswith("bias"):
            continue
        for gate, part in _parts(tensor, blocks[name]):
            if gate not in starts or name in own or f"{name}.{gate}" in own:
                continue
            if gate not in filled:
                part.fill_(starts[gate])
            elif overwrite:
                part.zero_()
            filled.add(gate)


def reinitialize(
    module: torch.nn.Module,
    attributes: Mapping[str, str],
    blocks: Mapping[str, Sequence[Block]],
    hidden_size: int,
    **how: Any,
) -> None:
    """Draw the tensors of a module anew, as :func:`initialize` does.

    A parametrised tensor is drawn as a whole and assigned through its parametrisation.

    Args:
        module: The owner.
        attributes: Its attribute for each name that :func:`initialize` knows, in order.
        blocks: As for :func:`initialize`.
        hidden_size: As for :func:`initialize`.
        **how: The other arguments of :func:`initialize`.
    """
    computed = {name for name, attribute in attributes.items() if parametrize.is_parametrized(module, attribute)}
    tensors: dict[str, Tensor | None] = {name: getattr(module, attribute) for name, attribute in attributes.items()}
    for name in computed:
        tensors[name] = torch.empty_like(getattr(module, attributes[name]))
    initialize(tensors, blocks, hidden_size, **how)
    for name in computed:
        setattr(module, attributes[name], tensors[name])


def _block_filler(init: Init, *, is_recurrent: bool) -> Filler:
    if not isinstance(init, str):
        return init
    if init in ("orthogonal", "published"):
        return fill_orthogonal if is_recurrent else torch.nn.init.xavier_uniform_
    filler: Filler = getattr(torch.nn.init, f"{init}_")
    return filler


def fill_orthogonal(block: Tensor) -> None:
    """Fill a block (rows, columns) in place with an orthogonal matrix, or a part of one if it is not square.

    Half-precision blocks are drawn in float32, since QR is not there for them.
    """
    if block.dtype in (torch.float16, torch.bfloat16):
        block.copy_(torch.nn.init.orthogonal_(torch.empty_like(block, dtype=torch.float32)))
    else:
        torch.nn.init.orthogonal_(block)


def uniform(low: float, high: float) -> Filler:
    """Return what draws a block from U(low, high)."""
    return lambda block: torch.nn.init.uniform_(block, low, high)


def normal(std: float) -> Filler:
    """Return what draws a block from N(0, std^2)."""
    return lambda block: torch.nn.init.normal_(block, std=std)


def constant(value: float) -> Filler:
    """Return what sets a block to a value."""
    return lambda block: torch.nn.init.constant_(block, value)
