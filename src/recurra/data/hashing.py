"""Hashes and random numbers that are the same on every machine and in every version of every library.

A run that is resumed years later must find the same lines in the same parts and batches, which NumPy's generators do
not promise.
"""

from __future__ import annotations

import hashlib

import numpy as np

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_of(*parts: object) -> int:
    """Return a number below 2**64 that the texts of the parts determine."""
    digest = hashlib.sha256(" ".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def mix(numbers: np.ndarray) -> np.ndarray:
    """Return well-mixed numbers, one for each: uint64 of the same shape.

    Source: Steele, Lea, Flood 2014, Fast splittable pseudorandom number generators (doi 10.1145/2660193.2660195),
    with the constants of SplitMix64.
    """
    mixed = numbers.astype(np.uint64) + _STEP  # arithmetic of unsigned arrays wraps around
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def random_bits(start: int, stop: int, key: int) -> np.ndarray:
    """Return the numbers from ``start`` to ``stop`` of the endless random sequence of a key: uint64."""
    return mix(np.arange(start, stop, dtype=np.uint64) * _STEP + np.array([key], np.uint64))


def uniforms(start: int, stop: int, key: int) -> np.ndarray:
    """Return random numbers in (0, 1], float64: those from ``start`` to ``stop`` of the sequence of a key."""
    return ((random_bits(start, stop, key) >> np.uint64(11)) + np.uint64(1)) * 2.0**-53


def permutation(size: int, key: int) -> np.ndarray:
    """Return the numbers from 0 to ``size - 1`` in a random order that the key determines: int64."""
    return np.argsort(random_bits(0, size, key), kind="stable")


__all__ = ["key_of", "mix", "permutation", "random_bits", "uniforms"]
