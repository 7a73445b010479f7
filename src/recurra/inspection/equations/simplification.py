"""Terms as a lecturer would write them."""

from __future__ import annotations

from collections.abc import Callable

from recurra.inspection.equations import terms as t
from recurra.inspection.equations.expanding import with_args
from recurra.inspection.equations.products import Product, key_of, spread
from recurra.inspection.equations.sums import shared_product, simple_sum
from recurra.inspection.equations.terms import Term

_MOST_ROUNDS = 20
_LINEAR = frozenset(["sum", "mean", "cumsum", "reverse_cumsum"])
_OPPOSITES = {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}
# of finite numbers these make no infinite ones, so that 0 times them is 0
_FINITE = frozenset(["sigmoid", "tanh", "relu", "softplus", "abs", "sign", "sin", "cos", "erf", "floor", "max", "min",
                     "softmax", "sum", "mean", "cumsum", "reverse_cumsum"])  # fmt: skip


def simplify(term: Term) -> Term:
    """Return a term with the same value, up to rounding, in fewer and more usual words.

    Numbers are folded, like factors and like parts joined, and what the parts of a sum share stands once before it:
    all of it where they all share it, else what those with one gradient share. In a product the number comes first,
    then what holds a gradient, then names, functions, and parentheses. Choices and blocks of one form are joined.

    Where the value of the term is a number, that of the result is; the reverse need not hold, as x² / x becomes x.
    """
    term = _settled(term, _simpler)
    return _settled(_settled(term, _with_indicators), _simpler)


def _settled(term: Term, change: Callable[[Term], Term]) -> Term:
    for _ in range(_MOST_ROUNDS):
        found = _from_inside(term, change)
        if key_of(found) == key_of(term):
            break
        term = found
    return term


def _from_inside(term: Term, change: Callable[[Term], Term]) -> Term:
    args = tuple(_from_inside(arg, change) for arg in term.args)
    is_new = tuple(map(key_of, args)) != tuple(map(key_of, term.args))
    built = spread(with_args(term, args), term.shape) if is_new else term
    return spread(change(built), term.shape)


def _simpler(term: Term) -> Term:
    rule = _RULES.get(term.op)
    return term if rule is None else rule(term)


def _simple_sum(term: Term) -> Term:
    return simple_sum(term, lambda part: _settled(part, _simpler))


def _simple_product(term: Term) -> Term:
    return Product.of(term).term()


def _simple_negative(term: Term) -> Term:
    inner = term.args[0]
    if inner.op == "add":
        return _simple_sum(t.add(*map(t.neg, inner.args)))
    return _simple_product(term)


def _simple_power(term: Term) -> Term:
    (base,) = term.args
    if base.op == "number" and (base.value > 0 or (isinstance(term.value, int) and term.value > 0)):
        return t.number(base.value**term.value)
    return _simple_product(term)


def _simple_matrix_product(term: Term) -> Term:
    left, right = (Product.of(arg) for arg in term.args)
    factor = t.div(t.number(left.numerator * right.numerator), t.number(left.denominator * right.denominator))
    if not factor.is_number(1):
        inner = []
        for product in (left, right):
            product.numerator = product.denominator = 1
            inner.append(product.term())
        return Product.of(t.mul(factor, _simple_matrix_product(t.matmul(*inner)))).term()
    a, b = term.args
    if a.op == "ones" and a.shape[0] == 1 and b.shape[1] == 1:
        return t.function("sum", b, shape=(1, 1)) if b.shape != (1, 1) else b
    return a if b.op == "ones" and b.shape == (1, 1) else term


def _simple_transpose(term: Term) -> Term:
    (inner,) = term.args
    if inner.op == "matmul":
        a, b = inner.args
        return t.matmul(t.transpose(b), t.transpose(a))
    return t.transpose(inner)


def _simple_function(term: Term) -> Term:
    if term.value not in _LINEAR:
        return term
    (inner,) = term.args
    if inner.shape == (1, 1):
        return inner
    if inner.op == "zeros":
        return spread(t.ZERO, term.shape)
    product = Product.of(inner)
    factor = t.div(t.number(product.numerator), t.number(product.denominator))
    if factor.is_number(1):
        return term
    product.numerator = product.denominator = 1
    return Product.of(t.mul(factor, t.function(term.value, product.term(), shape=term.shape))).term()


def _simple_choice(term: Term) -> Term:
    condition, then, otherwise = term.args
    if key_of(then) == key_of(otherwise):
        return then
    if _is_zero(then) or _is_zero(otherwise):
        return term
    products = [Product.of(then), Product.of(otherwise)]
    outer = shared_product(products)
    if not outer.factors:
        return term
    branches = [product.divided(outer.factors.values()).bare().term() for product in products]
    outer.numerator = outer.denominator = 1
    return Product.of(t.mul(outer.bare().term(), t.where(condition, *branches))).term()


def _simple_stack(term: Term) -> Term:
    return t.zeros(term.shape) if all(part.op == "zeros" for part in term.args) else term


def _is_zero(term: Term) -> bool:
    return term.op == "zeros" or term.is_number(0)


def _with_indicators(term: Term) -> Term:
    """Write a choice between something finite and 0 as a product."""
    if term.op != "where":
        return term
    condition, then, otherwise = term.args
    is_first = _is_zero(otherwise)
    kept = then if is_first else otherwise
    if is_first == _is_zero(then) or not all(map(_is_finite, kept.walk())):
        return term
    if not is_first and condition.op == "compare":
        condition = Term("compare", condition.args, _OPPOSITES[condition.value], condition.shape)
    elif not is_first:
        condition = t.compare("==", condition, t.ZERO)
    return t.mul(kept, t.indicator(condition))


def _is_finite(term: Term) -> bool:
    if term.op == "function":
        return term.value in _FINITE
    if term.op == "div":
        return term.args[1].op == "number" and term.args[1].value != 0
    return term.op != "power" or (isinstance(term.value, int) and term.value > 0)


_RULES: dict[str, Callable[[Term], Term]] = {
    "add": _simple_sum,
    "neg": _simple_negative,
    "mul": _simple_product,
    "div": _simple_product,
    "power": _simple_power,
    "matmul": _simple_matrix_product,
    "transpose": _simple_transpose,
    "function": _simple_function,
    "where": _simple_choice,
    "stack": _simple_stack,
}
