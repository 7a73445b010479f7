"""What a graph means: every operation, computed by torch."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from recurra.loop.graph import Node, Rows

_POINTWISE: dict[str, Callable[..., Tensor]] = {
    "neg": torch.neg,
    "abs": torch.abs,
    "sign": torch.sign,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "rsqrt": torch.rsqrt,
    "reciprocal": torch.reciprocal,
    "sin": torch.sin,
    "cos": torch.cos,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "erf": torch.erf,
    "relu": torch.relu,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "round": torch.round,
    "trunc": torch.trunc,
    "not": torch.logical_not,
    "isnan": torch.isnan,
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "remainder": torch.remainder,
    "fmod": torch.fmod,
    "eq": torch.eq,
    "ne": torch.ne,
    "lt": torch.lt,
    "le": torch.le,
    "gt": torch.gt,
    "ge": torch.ge,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "xor": torch.logical_xor,
    "where": torch.where,
}


def evaluate(wanted: Iterable[Node], values: dict[Node, Tensor], batch_size: int) -> list[Tensor]:
    """Compute nodes.

    Args:
        wanted: The nodes to compute.
        values: What is known: all inputs on the way, and any other node; what is computed is added to it.
        batch_size: The number of rows; for many steps at once, that times their number.

    Returns:
        The values of ``wanted``.

    Raises:
        KeyError: When an input that is needed is not among ``values``.
    """
    wanted = list(wanted)
    waiting = [(node, False) for node in reversed(wanted)]
    while waiting:
        node, are_operands_ready = waiting.pop()
        if node in values:
            continue
        if are_operands_ready:
            values[node] = compute(node, values, batch_size)
        else:
            waiting.append((node, True))
            waiting.extend((operand, False) for operand in reversed(node.operands()))
    return [values[node] for node in wanted]


def draw(node: Node, batch_size: int, *lead: int) -> Tensor:
    """Draw the random values of a node ``draw``: (*lead, *shape), for example of all steps at once."""
    name, *parameters = node.args
    empty = torch.empty(*lead, *_sizes(node, batch_size), dtype=node.dtype)
    if name == "uniform":
        return empty.uniform_()
    return empty.normal_() if name == "normal" else empty.bernoulli_(*parameters)


def _sizes(node: Node, batch_size: int) -> tuple[int, ...]:
    return tuple(s.multiple * batch_size if isinstance(s, Rows) else s for s in node.shape)


def compute(node: Node, values: dict[Node, Tensor], batch_size: int) -> Tensor:
    """Compute one node from its operands, which are among ``values``."""
    if node.op == "input":
        raise KeyError(f"the value of input {node.name}")
    if node.op in _POINTWISE:
        return _POINTWISE[node.op](*_operands(node, values))
    value: Tensor = _RULES[node.op](node, batch_size, *_look_up(node.args, values))
    return value


def _operands(node: Node, values: dict[Node, Tensor]) -> list[Tensor]:
    """Return the operands as tensors: a number has the type of the tensors beside it."""
    of_where = node.op == "where"
    dtype = node.dtype
    if not of_where:
        dtype = next(a.dtype for a in node.args if isinstance(a, Node))
    return [values[a] if isinstance(a, Node) else torch.tensor(a, dtype=dtype) for a in node.args]


def _look_up(value: Any, values: dict[Node, Tensor]) -> Any:
    if isinstance(value, Node):
        return values[value]
    if isinstance(value, tuple | list):
        return type(value)(_look_up(item, values) for item in value)
    if isinstance(value, dict):
        return {name: _look_up(item, values) for name, item in value.items()}
    return value


def _full(node: Node, batch_size: int, value: float) -> Tensor:
    return torch.full(_sizes(node, batch_size), value, dtype=node.dtype)


def _reshape(node: Node, batch_size: int, a: Tensor) -> Tensor:
    return a.reshape(_sizes(node, batch_size))


def _expand(node: Node, batch_size: int, a: Tensor) -> Tensor:
    return a.expand(_sizes(node, batch_size))


def _slice(node: Node, batch_size: int, a: Tensor, axis: int, start: int, step: int) -> Tensor:
    size = _sizes(node, batch_size)[axis]
    places = [slice(None)] * axis
    return a[(*places, slice(start, start + (size - 1) * step + 1 if size else start, step))]


def _prod(a: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    a = functools.reduce(lambda value, axis: value.prod(axis, keepdim=True), axes, a)
    return a if keepdim else a.squeeze(axes)


_RULES: dict[str, Callable[..., Any]] = {
    "full": _full,
    "draw": lambda node, batch_size, *_: draw(node, batch_size),
    "to_real": lambda node, _, a: a.to(node.dtype),
    "to_bool": lambda node, _, a: a.to(torch.bool),
    "pow": lambda node, _, a, exponent: torch.pow(a, exponent),
    "permute": lambda node, _, a, axes: a.permute(axes),
    "reshape": _reshape,
    "expand": _expand,
    "slice": _slice,
    "select": lambda node, _, a, axis, index: a.select(axis, index),
    "flip": lambda node, _, a, axes: a.flip(axes),
    "cat": lambda node, _, pieces, axis: torch.cat(pieces, axis),
    "sum": lambda node, _, a, axes, keepdim: a.sum(axes, keepdim),
    "amax": lambda node, _, a, axes, keepdim: a.amax(axes, keepdim),
    "amin": lambda node, _, a, axes, keepdim: a.amin(axes, keepdim),
    "prod": lambda node, _, a, axes, keepdim: _prod(a, axes, keepdim),
    "cumsum": lambda node, _, a, axis: a.cumsum(axis),
    "mm": lambda node, _, a, b: a @ b,
    "addmm": lambda node, _, bias, a, b: torch.addmm(bias, a, b),
    "torch": lambda node, _, target, args, kwargs: target(*args, **kwargs),
}


def take_item(values: Any, k: int) -> Tensor:
    """Return one result of a torch operation that has several."""
    item: Tensor = operator.getitem(values, k)
    return item
