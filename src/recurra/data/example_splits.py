"""Sharing out examples among training, validation and test part, so that no text stands in two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from recurra.data.hashing import key_of, mix
from recurra.data.splits import check_fractions
from recurra.errors import ArgumentError, DataTooShortError


def text_keys(texts: Sequence[str]) -> np.ndarray:
    """Return one number for each text, equal for equal texts only (but for chance of about n² / 2^65): uint64 (n,)."""
    digests = (hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
    return np.frombuffer(b"".join(digests), "<u8").astype(np.uint64)


def linked_keys(first: Sequence[str], second: Sequence[str]) -> np.ndarray:
    """Return one number for each pair of texts, equal for pairs that share either side, also by way of others.

    Args:
        first: One side of each pair.
        second: The other side.

    Returns:
        The key of each pair: uint64 of shape (n,).

    Example:
        >>> keys = linked_keys(["a", "a", "b", "c"], ["x", "y", "y", "z"])
        >>> (keys == keys[0]).tolist()
        [True, True, True, False]
    """
    if len(first) != len(second):
        raise ArgumentError(f"linked_keys expected as many texts on both sides, got {len(first)} and {len(second)}")
    if not len(first):
        return np.zeros(0, np.uint64)
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    keys = text_keys(first)
    _, left = np.unique(keys, return_inverse=True)
    _, right = np.unique(text_keys(second), return_inverse=True)
    num_left = int(left.max()) + 1
    size = num_left + int(right.max()) + 1
    edges = coo_matrix((np.ones(len(left), bool), (left, right + num_left)), shape=(size, size))
    _, component = connected_components(edges, directed=False)
    component_of_pair = component[left]
    # a component is called after the least of its texts, so that the order of the pairs does not matter
    least = np.full(int(component.max()) + 1, np.iinfo(np.uint64).max, np.uint64)
    np.minimum.at(least, component_of_pair, keys)
    named: np.ndarray = least[component_of_pair]
    return named


def split_by_key(
    keys: np.ndarray,
    validation: float,
    test: float,
    seed: int,
    *,
    what: str = "examples",
    who: str = "split_by_key",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share out examples at random; those of equal keys always fall into the same part.

    The distinct keys stand in an order that they and the seed determine. Going through it, the test part takes
    examples until it has its share of all, then the validation part does, and the rest is for training. A part gets
    more than its share only by further examples of the last key that it took.

    Args:
        keys: Key of each example, uint64 of shape (n,).
        validation: Share of the examples for validation, above 0 and below 1.
        test: Share of the examples for the test, from 0 and below 1.
        seed: Any integer.
        what: What the examples are, for messages.
        who: Who asks, for messages.

    Returns:
        The indices of the examples for training, for validation and for the test, each ascending int64.

    Raises:
        ArgumentError: When a share is out of range, or nothing is left to train on.
        DataTooShortError: When a part would have no example.
    """
    check_fractions(who, validation, test)
    distinct, group_of_example, counts = np.unique(keys, return_inverse=True, return_counts=True)
    order = np.argsort(mix(distinct ^ np.uint64(key_of("recurra lines", seed))), kind="stable")
    ends = np.cumsum(counts[order])
    num_validation, num_test = round(len(keys) * validation), round(len(keys) * test)
    # how many of the distinct keys it takes to reach a number of examples
    of_test = int(np.searchsorted(ends, num_test)) + 1 if num_test else 0
    reached = int(ends[of_test - 1]) if of_test else 0
    of_both = int(np.searchsorted(ends, reached + num_validation)) + 1 if num_validation else of_test
    if not num_validation or (test and not num_test) or of_both >= len(ends):
        raise DataTooShortError(
            f"{who} expected {what} for training, for validation={validation} and for test={test}, "
            f"got {len(keys)} {what}, {len(distinct)} of them distinct",
            hint=f"use more {what}, or other fractions",
        )
    part_of_group = np.empty(len(distinct), np.int8)
    part_of_group[order] = np.repeat(np.array([2, 1, 0], np.int8), [of_test, of_both - of_test, len(order) - of_both])
    part_of_example = part_of_group[group_of_example]
    train, held_out, final = (np.flatnonzero(part_of_example == part) for part in range(3))
    return train, held_out, final


def count_shared(train: np.ndarray, other: np.ndarray) -> int:
    """Return how many keys of ``other`` also stand in ``train``."""
    return int(np.isin(other, train).sum())


__all__ = ["count_shared", "linked_keys", "split_by_key", "text_keys"]
