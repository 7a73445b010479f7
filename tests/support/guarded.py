"""Tensors whose memory borders on a page that nobody may touch: reading or writing too far ends the process."""

from __future__ import annotations

import ctypes
import math
import mmap
from typing import Literal

import torch

_NO_ACCESS = 0  # PROT_NONE


def guarded(shape: tuple[int, ...], dtype: torch.dtype, at: Literal["end", "start"] = "end") -> torch.Tensor:
    """Return a contiguous tensor of zeros that ends right before, or begins right behind, an unreadable page.

    The pages live as long as the tensor's memory does.
    """
    count = math.prod(shape)
    if count == 0:
        return torch.zeros(shape, dtype=dtype)
    num_bytes = count * dtype.itemsize
    inner = -(-num_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
    pages = mmap.mmap(-1, inner + 2 * mmap.PAGESIZE)
    first = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for place in (first, first + mmap.PAGESIZE + inner):
        _forbid(place)
    offset = mmap.PAGESIZE + (inner - num_bytes if at == "end" else 0)
    return torch.frombuffer(pages, dtype=dtype, count=count, offset=offset).view(shape)


def guarded_copy(tensor: torch.Tensor, at: Literal["end", "start"] = "end") -> torch.Tensor:
    """Return a contiguous copy of a tensor in guarded memory."""
    copy = guarded(tuple(tensor.shape), tensor.dtype, at)
    copy.copy_(tensor)
    return copy


def _forbid(address: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE), _NO_ACCESS) != 0:
        raise OSError(ctypes.get_errno(), "mprotect failed")
