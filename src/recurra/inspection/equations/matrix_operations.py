"""The mathematical form of torch's products, sums and norms."""

from __future__ import annotations

from typing import Any

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.operations import Dims, form, plain_number, terms_of
from recurra.inspection.equations.terms import Term
from recurra.inspection.equations.values import NoFormError, Value


def _product(a: Value, b: Value) -> Term:
    """Return the product of two tensors of one or two dimensions each, or of three with the batch as first."""
    if a.row_axis is None and b.row_axis is None:
        left = t.transpose(a.term) if len(a.dims) == 1 else a.term
        found = t.matmul(left, b.term)
        # a row times a matrix is a vector again
        return t.transpose(found) if len(a.dims) == 1 and len(b.dims) == 2 else found
    if a.row_axis == 0 and b.row_axis is None and len(a.dims) == 1:
        return t.matmul(t.transpose(b.term), a.term)
    if a.row_axis is None and b.row_axis == 1 and len(b.dims) == 1:
        return t.matmul(a.term, b.term)
    if a.row_axis in (0, None) and b.row_axis in (0, None) and len(a.dims) == len(b.dims) == 2:
        return t.matmul(a.term, b.term)
    raise NoFormError("it multiplies rows of the batch with each other")


@form("linear")
def _linear(dims: Dims, x: Value, weight: Value, bias: Value | None = None) -> Term:
    product = _product(x, Value(weight.tensor.T, t.transpose(weight.term), None))
    if bias is None:
        return product
    # of several vectors at once, each has the bias added
    return t.add(product, t.transpose(bias.term) if len(dims) == 2 else bias.term)


@form("matmul", "mm", "mv", "bmm", "dot")
def _matmul(dims: Dims, a: Value, b: Value) -> Term:
    return _product(a, b)


@form("rmatmul")
def _rmatmul(dims: Dims, a: Value, b: Value) -> Term:
    return _product(b, a)


@form("addmm", "baddbmm", "addmv")
def _addmm(dims: Dims, base: Value, a: Value, b: Value, *, beta: float = 1, alpha: float = 1) -> Term:
    (first,) = terms_of(dims, base)
    if a.row_axis is not None and base.row_axis is None and len(base.dims) == 2:
        raise NoFormError("it gives the rows of the batch different values")
    return t.add(t.mul(t.number(beta), first), t.mul(t.number(alpha), _product(a, b)))


@form("outer", "ger")
def _outer(dims: Dims, a: Value, b: Value) -> Term:
    if a.row_axis is not None or b.row_axis is not None:
        raise NoFormError("it multiplies rows of the batch with each other")
    return t.matmul(a.term, t.transpose(b.term))


def _axes(value: Value, dim: Any) -> tuple[int, ...]:
    if dim is None:
        if value.row_axis is not None:
            raise NoFormError("it mixes the rows of the batch")
        return tuple(range(len(value.dims)))
    return tuple(sorted(value.axis(d) for d in (dim if isinstance(dim, tuple | list) else (dim,))))


def _summed(value: Value, dim: Any, keepdim: bool) -> Term:
    axes = _axes(value, dim)
    rows, columns = value.term.shape
    if axes == tuple(range(len(value.dims))):
        return t.function("sum", value.term, shape=(1, 1)) if value.term.shape != (1, 1) else value.term
    if axes == (1,):
        return t.matmul(value.term, t.ones((columns, 1)))
    found = t.matmul(t.ones((1, rows)), value.term)
    return found if keepdim else t.transpose(found)


@form("sum")
def _sum(dims: Dims, a: Value, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Term:
    return _summed(a, dim, keepdim)


@form("mean")
def _mean(dims: Dims, a: Value, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Term:
    axes = _axes(a, dim)
    if axes == tuple(range(len(a.dims))):
        return t.function("mean", a.term, shape=(1, 1))
    return t.div(_summed(a, dim, keepdim), t.number(a.dims[axes[0]]))


@form("var", "std")
def _var(dims: Dims, a: Value, *given: Any, **options: Any) -> Term:
    raise NoFormError("it has none here yet; layer_norm has one")


@form("norm", "vector_norm")
def _norm(dims: Dims, a: Value, p: Any = 2, dim: Any = None, keepdim: bool = False, **options: Any) -> Term:
    if p not in (None, 2, 2.0, "fro") or options.get("ord", 2) not in (None, 2):
        raise NoFormError("it is another norm than the Euclidean")
    squared = Value(a.tensor, t.power(a.term, 2), a.row_axis)
    return t.function("sqrt", _summed(squared, dim, keepdim))


def _along(value: Value, dim: Any, name: str) -> Term:
    axis = value.axis(-1 if dim is None else dim)
    is_across = len(value.dims) == 2 and axis == 1
    inner = t.transpose(value.term) if is_across else value.term
    found = t.function(name, inner)
    return t.transpose(found) if is_across else found


@form("softmax")
def _softmax(dims: Dims, a: Value, dim: Any = None, *ignored: Any, dtype: Any = None, **options: Any) -> Term:
    return _along(a, dim, "softmax")


@form("log_softmax")
def _log_softmax(dims: Dims, a: Value, dim: Any = None, *ignored: Any, dtype: Any = None, **options: Any) -> Term:
    return t.function("log", _along(a, dim, "softmax"))


@form("cumsum")
def _cumsum(dims: Dims, a: Value, dim: Any, *, dtype: Any = None) -> Term:
    return _along(a, dim, "cumsum")


@form("layer_norm")
def _layer_norm(
    dims: Dims,
    a: Value,
    normalized_shape: Any,
    weight: Value | None = None,
    bias: Value | None = None,
    eps: float = 1e-5,
    **options: Any,
) -> Term:
    if len(a.dims) != 1 or len(tuple(normalized_shape)) != 1:
        raise NoFormError("it is over more than one dimension")
    found = t.function("norm", a.term, t.number(plain_number(eps, "eps")), shape=a.term.shape)
    if weight is not None:
        found = t.mul(weight.term, found)
    return found if bias is None else t.add(found, bias.term)


@form("weight_norm")
def _weight_norm(dims: Dims, direction: Value, size: Value, dim: int = 0) -> Term:
    if direction.row_axis is not None or len(direction.dims) != 2 or dim % 2 != 0:
        raise NoFormError("it is other than of the rows of a matrix")
    columns = direction.dims[1]
    lengths = t.function("sqrt", t.matmul(t.power(direction.term, 2), t.ones((columns, 1))))
    return t.mul(size.term, t.div(direction.term, lengths))
