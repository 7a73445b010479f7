from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from recurra.inspection.equations.functions import FUNCTIONS

GENERATOR = np.random.default_rng(0)
MATRIX = GENERATOR.normal(size=(5, 3)) * 3
OF_NUMBERS = {
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
    "relu": lambda v: v if v > 0 else 0.0,
    "softplus": lambda v: math.log1p(math.exp(v)),
    "exp": math.exp,
    "abs": abs,
    "sign": lambda v: math.copysign(1, v),
    "sin": math.sin,
    "cos": math.cos,
    "erf": math.erf,
    "floor": math.floor,
    "stop": lambda v: v,
}
OF_COLUMNS = {
    "softmax": lambda v: torch.softmax(v, 0),
    "cumsum": lambda v: torch.cumsum(v, 0),
    "reverse_cumsum": lambda v: torch.stack([v[row:].sum(0) for row in range(len(v))]),
    "sum": lambda v: v.sum().reshape(1, 1),
    "mean": lambda v: v.mean().reshape(1, 1),
}


@pytest.mark.parametrize("name", OF_NUMBERS)
def test_functions_of_numbers_agree_with_the_math_module(name):
    expected = [[OF_NUMBERS[name](entry) for entry in row] for row in MATRIX.tolist()]

    value = FUNCTIONS[name].compute(MATRIX)

    np.testing.assert_allclose(value, expected, rtol=1e-14, atol=1e-15)


def test_softplus_of_large_numbers_is_finite():
    value = FUNCTIONS["softplus"].compute(np.array([[900.0, -900.0]]))

    np.testing.assert_array_equal(value, [[900.0, 0.0]])


@pytest.mark.parametrize(("name", "oracle"), [("log", math.log), ("sqrt", math.sqrt)])
def test_functions_of_positive_numbers_agree_with_the_math_module(name, oracle):
    value = FUNCTIONS[name].compute(np.array([[0.25, 9.0]]))

    np.testing.assert_allclose(value, [[oracle(0.25), oracle(9.0)]], rtol=1e-15)


@pytest.mark.parametrize(("name", "oracle"), [("max", torch.maximum), ("min", torch.minimum), ("mod", torch.remainder)])
def test_functions_of_two_agree_with_torch_and_stretch(name, oracle):
    column = GENERATOR.normal(size=(5, 1))

    value = FUNCTIONS[name].compute(MATRIX, column)

    np.testing.assert_array_equal(value, oracle(torch.tensor(MATRIX), torch.tensor(column)).numpy())


@pytest.mark.parametrize("name", OF_COLUMNS)
def test_functions_of_columns_agree_with_torch(name):
    value = FUNCTIONS[name].compute(MATRIX)

    np.testing.assert_allclose(value, OF_COLUMNS[name](torch.tensor(MATRIX)).numpy(), rtol=1e-13)


def test_norm_is_layer_norm_of_each_column():
    value = FUNCTIONS["norm"].compute(MATRIX, np.array([[1e-05]]))

    expected = torch.nn.functional.layer_norm(torch.tensor(MATRIX.T), (5,), eps=1e-05).T
    np.testing.assert_allclose(value, expected.numpy(), rtol=1e-13)


def test_deviation_is_what_norm_divides_by():
    value = FUNCTIONS["deviation"].compute(MATRIX, np.array([[0.1]]))

    expected = [[math.sqrt(sum((v - sum(c) / 5) ** 2 for v in c) / 5 + 0.1) for c in MATRIX.T.tolist()]]
    np.testing.assert_allclose(value, expected, rtol=1e-14)


def test_sigmoid_of_large_numbers_does_not_overflow():
    value = FUNCTIONS["sigmoid"].compute(np.array([[-745.0, 1000.0, -10000.0]]))

    np.testing.assert_array_equal(value, [[math.exp(-745), 1.0, 0.0]])


def test_softmax_of_large_numbers_does_not_overflow():
    value = FUNCTIONS["softmax"].compute(np.array([[1000.0], [1000.0]]))

    np.testing.assert_array_equal(value, [[0.5], [0.5]])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementwise_functions_see_one_entry_each(name):
    function = FUNCTIONS[name]
    others = [np.full((2, 1), 0.75)] * (function.num_args - 1)

    before, after = (function.compute(np.array([[0.5], [entry]]), *others) for entry in (0.25, 0.9))

    is_elementwise = before.shape == (2, 1) and before[0] == after[0]
    # a sum down the rows has not yet seen the second in the first
    assert is_elementwise == (function.is_elementwise or name == "cumsum")
