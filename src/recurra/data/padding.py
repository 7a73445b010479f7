"""Sequences of different length side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from recurra.data.vocabulary import PAD_ID


def pad_ids(sequences: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return sequences of ids as one tensor.

    Args:
        sequences: Arrays of integers of shape (n,), n from 0 on; at least one array.

    Returns:
        Ids (T, B), int64, ``PAD_ID`` behind the ends, T at least 1; and the lengths (B,), int64.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    padded = np.full((len(sequences), max(int(lengths.max()), 1)), PAD_ID, np.int64)
    padded[np.arange(padded.shape[1]) < lengths[:, None]] = np.concatenate(sequences)
    return torch.from_numpy(padded).T.contiguous(), torch.from_numpy(lengths)


def pad_rows(sequences: Sequence[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Return sequences of vectors as one tensor.

    Args:
        sequences: Arrays of numbers of shape (n, I), n from 0 on; at least one array.

    Returns:
        Vectors (T, B, I), float32, zeros behind the ends, T at least 1; and the lengths (B,), int64.
    """
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    padded = np.zeros((max(int(lengths.max()), 1), len(sequences), sequences[0].shape[1]), np.float32)
    for row, sequence in enumerate(sequences):
        padded[: len(sequence), row] = sequence
    return torch.from_numpy(padded), torch.from_numpy(lengths)


__all__ = ["pad_ids", "pad_rows"]
