import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import CheckpointError
from recurra.training.packing import pack, unpack

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
nested = st.recursive(
    scalars,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(nested)
def test_any_nesting_of_plain_values_survives_json(value):
    tensors = {}

    back = unpack(json.loads(json.dumps(pack(value, tensors, "value"))), tensors)

    assert back == value
    assert repr(back) == repr(value)  # 1 is not True, and a tuple no list


def test_tensors_keep_their_bits_and_share_no_memory():
    weights = torch.randn(3, 4, dtype=torch.float64)
    value = {"a": weights, "b": (weights.t(), [torch.tensor(3)])}
    tensors = {}

    back = unpack(json.loads(json.dumps(pack(value, tensors, "value"))), tensors)

    assert torch.equal(back["a"], weights)
    assert torch.equal(back["b"][0], weights.t())
    assert back["b"][1][0].item() == 3
    assert back["a"].data_ptr() != weights.data_ptr()


def test_an_object_that_is_no_plain_value_is_refused_by_name():
    with pytest.raises(CheckpointError, match=r"for state\.0; got object"):
        pack([object()], {}, "state")
