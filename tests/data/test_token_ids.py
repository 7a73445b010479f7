import numpy as np
import pytest

from recurra.data import TokenIds

RAW = np.array([3, 1, 2, 2, 0, 3], np.uint8)
TABLE = np.array([1, 7, 1, 5])


def test_ids_are_read_through_the_table():
    ids = TokenIds(RAW, TABLE)

    read = ids.read(1, 6)

    assert read.tolist() == [7, 1, 1, 1, 5]
    assert read.dtype == np.int64
    assert len(ids) == 6


@pytest.mark.parametrize("dtype", ["u1", "<u2", "<u4", "i8"])
def test_without_a_table_ids_are_read_as_they_are(dtype):
    read = TokenIds(RAW.astype(dtype)).read(0, 3)

    assert read.tolist() == [3, 1, 2]
    assert read.dtype == np.int64


@pytest.mark.parametrize("table", [None, TABLE])
def test_what_is_read_is_a_copy(table):
    raw = RAW.astype(np.int64)

    TokenIds(raw, table).read(0, 6)[:] = -1

    assert raw.tolist() == RAW.tolist()
    assert TABLE.tolist() == [1, 7, 1, 5]


@pytest.mark.parametrize("table", [None, TABLE])
def test_a_transposed_window_is_mapped_in_c_order(table):
    window = RAW.reshape(2, 3).T

    mapped = TokenIds(RAW, table).map(window)

    expected = [[3, 2], [1, 0], [2, 3]] if table is None else [[5, 1], [7, 1], [1, 5]]
    assert mapped.tolist() == expected
    assert mapped.flags.c_contiguous
    assert mapped.dtype == np.int64


def test_ids_that_the_table_does_not_know_are_refused():
    with pytest.raises(IndexError, match="4 is out of bounds"):
        TokenIds(np.array([4], np.uint8), TABLE).read(0, 1)
