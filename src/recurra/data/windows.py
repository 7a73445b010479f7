"""Windows of truncated back-propagation whose lengths vary."""

from __future__ import annotations

import numpy as np

from recurra.data.hashing import key_of, uniforms

_SHARE_OF_LONG = 0.95
_STANDARD_DEVIATION = 5.0
_LEAST_STEPS, _MOST_STEPS_MORE = 5, 20


def varied_windows(stream_length: int, bptt: int, seed: int, epoch: int) -> np.ndarray:
    """Return the borders of windows whose lengths vary around ``bptt``.

    Lengths are drawn from a normal distribution with a standard deviation of 5 around ``bptt``, or, of one window in
    twenty, around half of it. None is shorter than 5 (or than ``bptt``, if that is less) nor longer than
    ``bptt + 20``, but the last one ends where the stream does.

    Args:
        stream_length: Steps of the stream, at least 1.
        bptt: What lengths are drawn around.
        seed: Determines the borders, together with ``epoch``.
        epoch: Number of the pass.

    Returns:
        Borders from 0 to ``stream_length``, rising, int64 of shape (number of windows + 1,).

    Source: Merity, Keskar, Socher 2018, arXiv 1708.02182, section 5. Differs: the paper has no bounds; that
    of 5 steps is from the authors' program.
    """
    key = key_of("recurra windows", seed, epoch)
    least = min(_LEAST_STEPS, bptt)
    borders = [np.zeros(1, np.int64)]
    drawn, reached = 0, 0
    while reached < stream_length:
        count = (stream_length - reached) // bptt + 1
        lengths = np.clip(_normal_lengths(drawn, drawn + count, bptt, key), least, bptt + _MOST_STEPS_MORE)
        borders.append(reached + np.cumsum(lengths))
        drawn, reached = drawn + count, int(borders[-1][-1])
    joined = np.concatenate(borders)
    return np.append(joined[joined < stream_length], stream_length)


def _normal_lengths(start: int, stop: int, bptt: int, key: int) -> np.ndarray:
    """Return the lengths from the ``start``-th to the ``stop``-th that are drawn, out of bounds where it happens."""
    chance, radius, angle = uniforms(3 * start, 3 * stop, key).reshape(-1, 3).T
    # Box and Muller's transformation, since no generator of NumPy's promises the same numbers in all versions
    normal = np.sqrt(-2 * np.log(radius)) * np.cos(2 * np.pi * angle)
    base = np.where(chance <= _SHARE_OF_LONG, bptt, bptt / 2)
    lengths: np.ndarray = np.rint(base + _STANDARD_DEVIATION * normal).astype(np.int64)
    return lengths


__all__ = ["varied_windows"]
