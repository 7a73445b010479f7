"""Rules of views, pieces, sums along axes, and products."""

from __future__ import annotations

from typing import Any

from recurra.loop.builder import Builder
from recurra.loop.graph import Node, Rows, Size
from recurra.loop.row_products import multiply_matrices, multiply_stacks
from recurra.loop.rules import Call, Result, Rule, Rules, registrar

RULES: Rules = {}
rule = registrar(RULES)


# --- views


def _axis(a: Node, axis: int) -> int:
    return axis % max(len(a.shape), 1)


def _axes(a: Node, dim: Any) -> list[int]:
    if dim is None or (isinstance(dim, list | tuple) and not dim):
        return list(range(len(a.shape)))
    return [_axis(a, axis) for axis in ([dim] if isinstance(dim, int) else dim)]


@rule("view", "view_copy", "reshape", "_reshape_copy", "unsqueeze", "unsqueeze_copy", "squeeze", "squeeze_copy")
def _reshape(b: Builder, call: Call) -> Result:
    return b.reshape(call.args[0], call.shape)


@rule("expand", "expand_copy")
def _expand(b: Builder, call: Call) -> Result:
    return b.expand(call.args[0], call.shape)


@rule("broadcast_in_dim")
def _broadcast_in_dim(b: Builder, call: Call) -> Result:
    a, _, axes = call.args
    shape: list[Size] = [1] * len(call.shape)
    for axis, size in zip(axes, a.shape, strict=True):
        shape[axis] = size
    return b.expand(b.reshape(a, shape), call.shape)


@rule("permute", "permute_copy")
def _permute(b: Builder, call: Call) -> Result:
    return b.permute(*call.args)


@rule("transpose", "transpose_copy", "t", "t_copy")
def _transpose(b: Builder, call: Call) -> Result:
    a = call.args[0]
    axes = list(range(len(a.shape)))
    first, second = call.args[1:] if len(call.args) == 3 else (0, len(axes) - 1)
    axes[first], axes[second] = axes[second], axes[first]
    return b.permute(a, axes)


@rule("slice", "slice_copy")
def _slice(b: Builder, call: Call) -> Result:
    a: Node = call.args[0]
    axis = _axis(a, call.get(1, "dim", 0))
    start, step = call.get(2, "start"), call.get(4, "step", 1)
    size, length = a.shape[axis], call.shape[axis]
    if isinstance(size, Rows):
        if size == length and start in (None, 0) and step == 1:
            return a
        b.fail("to keep the rows of a batch apart", f"{b.operation} of the batch")
    assert isinstance(length, int)
    return b.slice(a, axis, _start(size, start), length, step)


def _start(size: int, start: int | None) -> int:
    return slice(start, None).indices(size)[0]


@rule("select", "select_copy")
def _select(b: Builder, call: Call) -> Result:
    a, axis = call.args[0], _axis(call.args[0], call.args[1])
    return b.select(a, axis, call.args[2] % a.shape[axis] if isinstance(a.shape[axis], int) else 0)


@rule("flip")
def _flip(b: Builder, call: Call) -> Result:
    return b.flip(call.args[0], _axes(*call.args[:2]))


@rule("roll")
def _roll(b: Builder, call: Call) -> Result:
    a: Node = call.args[0]
    shifts = call.args[1]
    if len(call.args) < 3 or not call.args[2]:
        b.fail("to roll along an axis")
    for shift, axis in zip(shifts, _axes(a, call.args[2]), strict=True):
        size = a.shape[axis]
        if isinstance(size, Rows):
            b.fail("to keep the rows of a batch apart", f"{b.operation} along the batch")
        if shift % size:
            cut = size - shift % size
            a = b.cat([b.slice(a, axis, cut, size - cut), b.slice(a, axis, 0, cut)], axis)
    return a


# --- pieces


@rule("cat")
def _cat(b: Builder, call: Call) -> Result:
    # torch lets empty tensors of one axis stand for nothing
    pieces = [piece for piece in call.args[0] if piece.shape != (0,)]
    axis = call.get(1, "dim", 0)
    return b.cat(pieces, _axis(pieces[0], axis))


@rule("stack")
def _stack(b: Builder, call: Call) -> Result:
    pieces = call.args[0]
    return b.stack(pieces, call.get(1, "dim", 0) % (len(pieces[0].shape) + 1))


@rule("split", "split_copy", "split_with_sizes", "split_with_sizes_copy", "unsafe_split", "unsafe_split_with_sizes")
def _split(b: Builder, call: Call) -> Result:
    a, size = call.args[:2]
    axis = _axis(a, call.get(2, "dim", 0))
    total = a.shape[axis]
    if isinstance(total, Rows):
        b.fail("to keep the rows of a batch apart", f"{b.operation} of the batch")
    sizes = size if isinstance(size, list | tuple) else [min(size, total - k) for k in range(0, total, size or 1)]
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [b.slice(a, axis, start, length) for start, length in zip(starts, sizes, strict=True)]


@rule("unbind", "unbind_copy")
def _unbind(b: Builder, call: Call) -> Result:
    a = call.args[0]
    axis = _axis(a, call.get(1, "dim", 0))
    size = a.shape[axis]
    return [b.select(a, axis, k) for k in range(size if isinstance(size, int) else 1)]


@rule("slice_scatter")
def _slice_scatter(b: Builder, call: Call) -> Result:
    a, piece = call.args[:2]
    axis = _axis(a, call.get(2, "dim", 0))
    start, step = call.get(3, "start"), call.get(5, "step", 1)
    size, length = a.shape[axis], piece.shape[axis]
    if isinstance(size, Rows):
        if size == length and start in (None, 0) and step == 1:
            return b.expand(piece, call.shape)
        b.fail("to keep the rows of a batch apart", f"{b.operation} into the batch")
    return _with_piece(b, a, piece, axis, _start(size, start), step)


def _with_piece(b: Builder, a: Node, piece: Node, axis: int, start: int, step: int = 1) -> Node:
    """Return ``a`` with ``piece`` in place of what is there from ``start`` on."""
    size, length = a.shape[axis], piece.shape[axis]
    assert isinstance(size, int)
    assert isinstance(length, int)
    piece = b.expand(piece, (*a.shape[:axis], length, *a.shape[axis + 1 :]))
    if step == 1:
        end = start + length
        parts = [b.slice(a, axis, 0, start), piece, b.slice(a, axis, end, size - end)]
        return b.cat([part for part in parts if part.shape[axis] != 0], axis)
    known = {start + k * step: b.slice(piece, axis, k, 1) for k in range(length)}
    return b.cat([known.get(k) or b.slice(a, axis, k, 1) for k in range(size)], axis)


@rule("as_strided", "as_strided_copy", "as_strided_scatter")
def _as_strided(b: Builder, call: Call) -> Result:
    # torch's derivative of a write into a view refers to memory that a traced step does not have
    b.fail("to put tensors together by torch.cat or torch.where", "an assignment into a part of a tensor")


@rule("select_scatter")
def _select_scatter(b: Builder, call: Call) -> Result:
    a, piece = call.args[:2]
    axis = _axis(a, call.args[2])
    size = a.shape[axis]
    if isinstance(size, Rows):
        b.fail("to keep the rows of a batch apart", f"{b.operation} into the batch")
    return _with_piece(b, a, b.unsqueeze(piece, axis), axis, call.args[3] % size)


@rule("constant_pad_nd")
def _pad(b: Builder, call: Call) -> Result:
    a: Node = call.args[0]
    pads = call.args[1]
    value = call.get(2, "value", 0)
    for k in range(len(pads) // 2):
        a = _padded(b, a, len(call.shape) - 1 - k, pads[2 * k], pads[2 * k + 1], value)
    return a


def _padded(b: Builder, a: Node, axis: int, before: int, after: int, value: float) -> Node:
    if not before and not after:
        return a
    size = a.shape[axis]
    if isinstance(size, Rows):
        b.fail("to keep the rows of a batch apart", f"{b.operation} of the batch")
    cut = b.slice(a, axis, max(-before, 0), size + min(before, 0) + min(after, 0))
    sides = [
        b.full(value, (*a.shape[:axis], count, *a.shape[axis + 1 :]), a.dtype) if count > 0 else None
        for count in (before, after)
    ]
    return b.cat([piece for piece in (sides[0], cut, sides[1]) if piece is not None], axis)


@rule("repeat")
def _repeat(b: Builder, call: Call) -> Result:
    a, counts = call.args[:2]
    a = b.reshape(a, (1,) * (len(counts) - len(a.shape)) + a.shape)
    for axis, count in enumerate(counts):
        if count == 1:
            continue
        if a.shape[axis] == 1:
            a = b.expand(a, (*a.shape[:axis], count, *a.shape[axis + 1 :]))
        else:
            a = b.cat([a] * count, axis)
    return a


# --- along axes


def _reduction(op: str) -> Rule:
    def reduce(b: Builder, call: Call) -> Node:
        a = call.args[0]
        return b.reduce(op, a, _axes(a, call.get(1, "dim")), bool(call.get(2, "keepdim", False)))

    return reduce


RULES |= {op: _reduction(op) for op in ("sum", "amax", "amin", "prod")}


@rule("any", "all")
def _any(b: Builder, call: Call) -> Result:
    a = b.to_real(b.to_bool(call.args[0]))
    op = "amax" if b.operation.endswith("any") else "amin"
    return b.to_bool(b.reduce(op, a, _axes(a, call.get(1, "dim")), bool(call.get(2, "keepdim", False))))


@rule("max", "min")
def _max(b: Builder, call: Call) -> Result:
    a: Node = call.args[0]
    name = b.operation.rsplit(".", 1)[-1]
    if len(call.args) > 1 and isinstance(call.args[1], Node):
        return b.pointwise(f"{name}imum", *call.args)
    if len(call.args) == 1:
        return b.reduce(f"a{name}", a, _axes(a, None), False)
    return [b.reduce(f"a{name}", a, _axes(a, call.args[1]), bool(call.get(2, "keepdim", False))), None]


@rule("cumsum")
def _cumsum(b: Builder, call: Call) -> Result:
    return b.cumsum(call.args[0], _axis(call.args[0], call.args[1]))


# --- products


@rule("mm")
def _mm(b: Builder, call: Call) -> Result:
    return multiply_matrices(b, *call.args[:2])


@rule("addmm")
def _addmm(b: Builder, call: Call) -> Result:
    bias, left, right = call.args[:3]
    product = multiply_matrices(b, left, right)
    beta, alpha = call.kwargs.get("beta", 1), call.kwargs.get("alpha", 1)
    if beta == alpha == 1 and product.op == "mm" and not bias.is_row and len(bias.shape) == 1:
        wide = b.expand(bias, (product.shape[1],))
        return b.add("addmm", (b.to_real(wide), *product.args), product.shape, b.dtype)
    scaled = b.pointwise("mul", product, alpha)
    return scaled if beta == 0 else b.pointwise("add", b.pointwise("mul", bias, beta), scaled)


@rule("bmm")
def _bmm(b: Builder, call: Call) -> Result:
    return multiply_stacks(b, *call.args[:2])
