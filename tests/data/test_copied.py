import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data import copied, copied_share
from recurra.errors import ArgumentError


def share(generated, training, piece, *, before=0, after=0):
    """Ask with other text around the training part, which must not count."""
    ids = np.concatenate([np.full(before, 7), training, np.full(after, 7)]).astype(np.uint8)
    return copied_share(
        np.asarray(generated, np.int64), lambda a, b: ids[a:b], before, before + len(training), piece=piece
    )


def slow_share(generated, training, piece):
    windows = [tuple(generated[i : i + piece]) for i in range(len(generated) - piece + 1)]
    known = {tuple(training[i : i + piece]) for i in range(len(training) - piece + 1)}
    return sum(window in known for window in windows) / len(windows) if windows else None


IDS = st.lists(st.integers(0, 2), max_size=60)


@settings(max_examples=300, deadline=None)
@given(generated=IDS, training=IDS, piece=st.integers(1, 12), chunk=st.sampled_from([1, 2, 5, 1 << 17]))
def test_the_share_is_that_of_a_search_for_each_piece(generated, training, piece, chunk):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied, "_CHUNK", chunk)
        assert share(generated, training, piece, before=3, after=30) == slow_share(generated, training, piece)


@settings(max_examples=100, deadline=None)
@given(generated=IDS, training=IDS, piece=st.integers(1, 6), modulus=st.integers(1, 4))
def test_the_share_is_exact_even_if_hashes_collide(generated, training, piece, modulus):
    honest = copied._window_hashes

    def colliding(ids, length):
        return honest(ids, length) % np.uint64(modulus)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copied, "_window_hashes", colliding)
        assert share(generated, training, piece) == slow_share(generated, training, piece)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 16, 20, 31, 100])
def test_windows_have_equal_hashes_if_they_are_equal(piece):
    ids = np.random.default_rng(0).integers(0, 3, 400)
    twice = np.concatenate([ids, ids])

    hashes = copied._window_hashes(twice, piece)

    assert len(hashes) == 800 - piece + 1
    assert (hashes[: 400 - piece] == hashes[400 : 800 - piece]).all()
    windows = np.lib.stride_tricks.sliding_window_view(twice, piece)
    assert len(np.unique(hashes)) == len(np.unique(windows, axis=0))


def test_a_verbatim_piece_counts_wherever_it_stands():
    training = np.random.default_rng(0).integers(1, 60, 300_000)
    fresh = np.random.default_rng(1).integers(60, 90, 100)
    for place in (0, 131_000, 131_072 - 10, 299_900):
        generated = np.concatenate([training[place : place + 100], fresh])

        assert share(generated, training, 20) == 81 / 181


def test_a_text_shorter_than_a_piece_has_no_share():
    assert share([1, 2, 3], [1, 2, 3, 4], 4) is None
    assert share([], [1, 2], 1) is None
    assert share([1, 2, 3, 4], [1, 2, 3], 4) == 0.0


def test_pieces_have_a_length():
    with pytest.raises(ArgumentError, match="copied_share expected piece to be at least 1, got 0"):
        share([1], [1], 0)
