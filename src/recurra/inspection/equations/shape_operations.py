"""The mathematical form of torch's operations that move numbers and do not change them."""

from __future__ import annotations

from typing import Any

import torch

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.operations import Dims, form, terms_of
from recurra.inspection.equations.terms import Term
from recurra.inspection.equations.values import NoFormError, Value, shape_of


@form("clone", "contiguous", "to", "type_as", "float", "double", "requires_grad_", "alias", "view_as")
def _same(dims: Dims, a: Value, *ignored: Any, **options: Any) -> Term:
    return t.indicator(a.term) if a.tensor.dtype == torch.bool else a.term


@form("bool")
def _bool(dims: Dims, a: Value) -> Term:
    return t.compare("!=", a.term, t.ZERO)


@form("logical_and", "and", "bitwise_and")
def _and(dims: Dims, a: Value, b: Value) -> Term:
    return t.mul(*terms_of(dims, a, b))


@form("logical_or", "or", "bitwise_or")
def _or(dims: Dims, a: Value, b: Value) -> Term:
    first, second = terms_of(dims, a, b)
    return t.function("max", first, second, shape=t.stretched(first, second))


@form("logical_not", "invert", "bitwise_not")
def _not(dims: Dims, a: Value) -> Term:
    return t.sub(t.ONE, *terms_of(dims, a))


@form("T", "t", "mT", "transpose", "swapaxes", "permute", "adjoint", "numpy_T")
def _transpose(dims: Dims, a: Value, *axes: Any) -> Term:
    # a vector is a column whichever way its rows lie
    return t.transpose(a.term) if len(a.dims) == 2 else a.term


@form("unsqueeze", "squeeze", "flatten", "view", "reshape", "unflatten")
def _reshape(dims: Dims, a: Value, *sizes: Any) -> Term:
    shape = shape_of(dims)
    if shape == a.term.shape:
        return a.term
    if shape == a.term.shape[::-1] and 1 in shape:
        return t.transpose(a.term)
    formula = a.formula
    if formula is not None and formula.op == "mul" and formula.args[-1].op == "ones" and shape[1] == 1:
        # each number stood beside itself, and now stands below itself
        inner = t.mul(*formula.args[:-1])
        if inner.shape == (formula.shape[0], 1) and formula.shape[0] * formula.shape[1] == shape[0]:
            return t.repeat(inner, formula.shape[1])
    raise NoFormError(f"it brings {a.dims} into the form {dims}")


@form("expand", "expand_as", "broadcast_to")
def _expand(dims: Dims, a: Value, *sizes: Any) -> Term:
    (term,) = terms_of(dims, a)
    return term if term.shape == shape_of(dims) else t.mul(term, t.ones(shape_of(dims)))


@form("repeat_interleave")
def _repeat_interleave(dims: Dims, a: Value, repeats: int, dim: Any = None) -> Term:
    if not isinstance(repeats, int) or len(a.dims) != 1:
        raise NoFormError("it repeats other than each number of a vector equally often")
    return t.repeat(a.term, repeats)


@form("cat", "concat", "concatenate", "hstack")
def _cat(dims: Dims, tensors: Any, dim: int = 0, **options: Any) -> Term:
    parts = list(tensors)
    # torch knows a dimension by its axis too
    return t.stack(tuple(part.term for part in parts), parts[0].axis(options.get("axis", dim)))


@form("stack")
def _stack(dims: Dims, tensors: Any, dim: int = 0) -> Term:
    parts = list(tensors)
    if len(dims) == 1:
        return t.stack(tuple(part.term for part in parts))
    axis = dim % (parts[0].tensor.dim() + 1)
    axis -= parts[0].row_axis is not None
    rows = tuple(t.transpose(part.term) if axis == 0 else part.term for part in parts)
    return t.stack(rows, axis)


@form("pad")
def _pad(dims: Dims, a: Value, pad: Any, mode: str = "constant", value: float | None = None) -> Term:
    if mode != "constant" or value or len(pad) > 2 * len(a.dims):
        raise NoFormError("it pads otherwise than with zeros")
    term = a.term
    for place in range(len(pad) // 2):
        axis = len(a.dims) - 1 - place
        term = _padded(term, axis, *pad[2 * place : 2 * place + 2])
    return term


def _padded(term: Term, axis: int, before: int, after: int) -> Term:
    if before < 0 or after < 0:
        raise NoFormError("it cuts where it should pad")

    def block(size: int) -> Term:
        return t.zeros((size, term.shape[1]) if axis == 0 else (term.shape[0], size))

    parts = [*([block(before)] if before else []), term, *([block(after)] if after else [])]
    return t.stack(tuple(parts), axis)


def _parts(a: Value, sizes: list[int], dim: int) -> list[Term]:
    axis = a.axis(dim)
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [t.cut(a.term, axis, start, start + size) for start, size in zip(starts, sizes, strict=True)]


@form("split", "chunk", "tensor_split", "split_with_sizes", "hsplit")
def _split(dims: list[Dims], a: Value, sections: Any, dim: int = 0) -> list[Term]:
    axis = a.axis(dim)
    return _parts(a, [sizes[axis] for sizes in dims], dim)


@form("unbind")
def _unbind(dims: list[Dims], a: Value, dim: int = 0) -> list[Term]:
    axis = a.axis(dim)
    rows = _parts(a, [1] * len(dims), dim)
    return [t.transpose(row) if axis == 0 and len(a.dims) == 2 else row for row in rows]


@form("narrow")
def _narrow(dims: Dims, a: Value, dim: int, start: int, length: int) -> Term:
    return t.cut(a.term, a.axis(dim), start, start + length)


@form("select")
def _select(dims: Dims, a: Value, dim: int, index: int) -> Term:
    axis = a.axis(dim)
    found = t.cut(a.term, axis, index % a.dims[axis], index % a.dims[axis] + 1)
    return t.transpose(found) if axis == 0 and len(a.dims) == 2 else found


@form("flip")
def _flip(dims: Dims, a: Value, *axes: Any) -> Term:
    flat = axes[0] if isinstance(axes[0], tuple | list) else axes
    term = a.term
    for dim in flat:
        axis = a.axis(dim)
        term = t.pick(term, axis, tuple(reversed(range(a.dims[axis]))))
    return term


@form("roll")
def _roll(dims: Dims, a: Value, shifts: Any, dims_: Any = None, **options: Any) -> Term:
    dim = options.get("dims", dims_)
    shift, dim = (x[0] if isinstance(x, tuple | list) and len(x) == 1 else x for x in (shifts, dim))
    if not isinstance(shift, int) or not isinstance(dim, int):
        raise NoFormError("it rolls other than along one dimension")
    axis = a.axis(dim)
    size = a.dims[axis]
    return t.pick(a.term, axis, tuple((k - shift) % size for k in range(size)))


@form("index_select")
def _index_select(dims: Dims, a: Value, dim: int, index: Any) -> Term:
    if not isinstance(index, Value) or not index.is_constant:
        raise NoFormError("what it selects is no constant")
    return t.pick(a.term, a.axis(dim), tuple(map(int, index.tensor.tolist())))


@form("getitem")
def _getitem(dims: Dims, a: Value, index: Any) -> Term:
    items = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in [i for i in items if not isinstance(i, Value)]:
        place = next(k for k, i in enumerate(items) if i is Ellipsis)
        given = sum(i is not None and i is not Ellipsis for i in items)
        items[place : place + 1] = [slice(None)] * (a.tensor.dim() - given)
    term, dim = a.term, 0
    for item in items:
        if item is None:
            continue
        term = _indexed(a, term, dim, item)
        dim += 1
    shape = shape_of(dims)
    if term.shape != shape and term.shape == shape[::-1] and 1 in shape:
        return t.transpose(term)
    if term.shape != shape:
        raise NoFormError(f"it brings {a.dims} into the form {dims}")
    return term


def _indexed(a: Value, term: Term, dim: int, item: Any) -> Term:
    size = a.tensor.shape[dim]
    if isinstance(item, slice) and item.indices(size) == (0, size, 1):
        return term
    axis = a.axis(dim)
    if isinstance(item, slice):
        return t.pick(term, axis, tuple(range(*item.indices(size))))
    if isinstance(item, int):
        return t.cut(term, axis, item % size, item % size + 1)
    if isinstance(item, Value) and item.is_constant and item.tensor.dim() == 1 and item.tensor.dtype == torch.int64:
        return t.pick(term, axis, tuple(int(k) % size for k in item.tensor.tolist()))
    raise NoFormError("what it selects is no constant")
