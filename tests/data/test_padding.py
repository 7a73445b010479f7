import numpy as np
import torch

from recurra.data import PAD_ID, pad_ids, pad_rows


def test_ids_stand_side_by_side():
    ids, lengths = pad_ids([np.array([5, 6, 7]), np.array([], np.int64), np.array([8])])

    assert ids.tolist() == [[5, PAD_ID, 8], [6, PAD_ID, PAD_ID], [7, PAD_ID, PAD_ID]]
    assert ids.dtype == torch.int64
    assert ids.is_contiguous()
    assert lengths.tolist() == [3, 0, 1]


def test_there_is_a_step_even_where_all_sequences_are_empty():
    ids, lengths = pad_ids([np.array([], np.int64)] * 2)
    rows, _ = pad_rows([np.zeros((0, 3))])

    assert ids.shape == (1, 2)
    assert lengths.tolist() == [0, 0]
    assert rows.shape == (1, 1, 3)


def test_vectors_stand_side_by_side():
    sequences = [np.random.default_rng(n).normal(size=(n, 2)) for n in (2, 0, 4)]

    rows, lengths = pad_rows(sequences)

    assert rows.shape == (4, 3, 2)
    assert rows.dtype == torch.float32
    assert lengths.tolist() == [2, 0, 4]
    for column, sequence in enumerate(sequences):
        np.testing.assert_allclose(rows[: len(sequence), column], sequence, rtol=1e-6)
        assert not rows[len(sequence) :, column].any()
