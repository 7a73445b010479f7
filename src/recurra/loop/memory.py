"""Memory that is used again from call to call: by the native engine, and by a language model's output layer.

Fresh memory costs a page fault for every few kilobytes at its first touch, which for the largest arrays takes longer
than filling them. So a bounded amount is held here, and an array of it is given out again once nothing else refers to
it: no tensor, no view, no saved value of autograd.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict

import torch
from torch import Tensor

MAX_HELD_BYTES = 256 << 20
"""How much is held at most, in use or not."""
_SMALLEST = 1 << 16
_use_count = torch._C._storage_Use_Count


class Pool:
    """Arrays that are given out again when they are free."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[int, torch.UntypedStorage] = OrderedDict()
        self._bytes = 0

    def take(self, size: int, dtype: torch.dtype) -> Tensor:
        """Return memory for ``size`` numbers, with anything in it."""
        wanted = size * dtype.itemsize
        if wanted < _SMALLEST or torch.is_inference_mode_enabled():
            return torch.empty(size, dtype=dtype)
        with self._lock:
            storage = self._find(wanted) or self._add(wanted)
            if storage is None:
                return torch.empty(size, dtype=dtype)
            return torch.empty(0, dtype=dtype).set_(storage, 0, (size,), (1,))

    def clear(self) -> None:
        """Hold nothing; what is in use lives as long as it is."""
        with self._lock:
            self._held.clear()
            self._bytes = 0

    def _find(self, wanted: int) -> torch.UntypedStorage | None:
        best: torch.UntypedStorage | None = None
        for storage in self._held.values():
            fits = wanted <= storage.nbytes() <= 2 * wanted
            if fits and _use_count(storage._cdata) == 1 and (best is None or storage.nbytes() < best.nbytes()):
                best = storage
        if best is not None:
            self._held.move_to_end(best._cdata)
        return best

    def _add(self, wanted: int) -> torch.UntypedStorage | None:
        for place, storage in list(self._held.items()):
            if self._bytes + wanted <= MAX_HELD_BYTES:
                break
            if _use_count(storage._cdata) == 1:
                self._bytes -= storage.nbytes()
                del self._held[place]
        if self._bytes + wanted > MAX_HELD_BYTES:
            return None
        storage = torch.UntypedStorage(wanted)
        self._held[storage._cdata] = storage
        self._bytes += wanted
        return storage


pool = Pool()
if hasattr(os, "register_at_fork"):
    # another thread of the parent may have held the lock
    os.register_at_fork(after_in_child=lambda: pool.__init__())  # type: ignore[misc]
