"""Products of row values: with a batch-free matrix, with each other row by row, and summed over the batch."""

from __future__ import annotations

import torch

from recurra.loop.builder import Builder, batch_axis
from recurra.loop.graph import Node, Rows, Size

MAX_GROUPS = 16
"""Stacks of more matrices than this are multiplied number by number: a product for each would be too small."""


def multiply_matrices(b: Builder, left: Node, right: Node) -> Node:
    """Return the product of (M, K) and (K, N), of which one at least is a row value."""
    left, right = b.to_real(left), b.to_real(right)
    rows = batch_axis(left), batch_axis(right)
    if rows == (1, 0):
        shape = (left.shape[0], right.shape[1])
        return b.sum_over_batch(torch.ops.aten.mm.default, (left, right), {}, shape)
    if rows == (0, None):
        return b.add("mm", (left, right), (left.shape[0], right.shape[1]), b.dtype)
    if rows == (None, 1):
        turned = multiply_matrices(b, b.permute(right, (1, 0)), b.permute(left, (1, 0)))
        return b.permute(turned, (1, 0))
    b.fail("to keep the rows of a batch apart", f"{b.operation}, which pairs each row with each")


def multiply_stacks(b: Builder, left: Node, right: Node) -> Node:
    """Return the products of (G, M, K) and (G, K, N), of which one at least is a row value."""
    left, right = b.to_real(left), b.to_real(right)
    rows = batch_axis(left), batch_axis(right)
    if rows == (2, 1):
        shape = (left.shape[0], left.shape[1], right.shape[2])
        return b.sum_over_batch(torch.ops.aten.bmm.default, (left, right), {}, shape)
    if 0 in rows:
        return _multiply_by_row(b, left, right)
    if rows == (1, None):
        return _multiply_by_group(b, left, right)
    if rows == (None, 2):
        turned = multiply_stacks(b, b.permute(right, (0, 2, 1)), b.permute(left, (0, 2, 1)))
        return b.permute(turned, (0, 2, 1))
    b.fail("to keep the rows of a batch apart", f"{b.operation}, which pairs each row with each")


def _multiply_by_group(b: Builder, left: Node, right: Node) -> Node:
    """Multiply (G, B, K) by (G, K, N) batch-free."""
    count = left.shape[0]
    assert isinstance(count, int)
    if count > MAX_GROUPS:
        return _multiply_number_by_number(b, left, right)
    products = [multiply_matrices(b, b.select(left, 0, g), b.select(right, 0, g)) for g in range(count)]
    return b.stack(products, 0)


def _multiply_by_row(b: Builder, left: Node, right: Node) -> Node:
    """Multiply (B, M, K) by (B, K, N); where one is the same matrix for all rows, this is one product."""
    matrix = _matrix_behind(b, right)
    if matrix is not None and left.is_row:
        flat = b.reshape(left, (_times(left.shape[0], left.shape[1]), left.shape[2]))
        product = multiply_matrices(b, flat, matrix)
        return b.reshape(product, (left.shape[0], left.shape[1], matrix.shape[1]))
    if _matrix_behind(b, left) is not None and right.is_row:
        return b.permute(_multiply_by_row(b, b.permute(right, (0, 2, 1)), b.permute(left, (0, 2, 1))), (0, 2, 1))
    return _multiply_number_by_number(b, left, right)


def _matrix_behind(b: Builder, stack: Node) -> Node | None:
    """Return the one matrix that a stack repeats for all rows; ``None`` if it holds several."""
    if not stack.is_row:
        return None
    if stack.op == "permute" and stack.args[1] == (0, 2, 1):
        inner = _matrix_behind(b, stack.args[0])
        return None if inner is None else b.permute(inner, (1, 0))
    if stack.op != "expand" or stack.args[0].is_row:
        return None
    source = stack.args[0]
    return b.expand(b.reshape(source, source.shape[-2:]), stack.shape[1:])


def _multiply_number_by_number(b: Builder, left: Node, right: Node) -> Node:
    wide = b.reshape(left, (*left.shape, 1))
    tall = b.reshape(right, (right.shape[0], 1, *right.shape[1:]))
    return b.reduce("sum", b.pointwise("mul", wide, tall), [2], False)


def _times(size: Size, count: Size) -> Rows:
    assert isinstance(size, Rows)
    assert isinstance(count, int)
    return Rows(size.multiple * count)
