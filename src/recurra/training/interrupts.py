"""Stopping on request: the first Ctrl-C ends the run in good order, the second one leaves at once."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopRequest:
    """Turns SIGINT and SIGTERM into a flag while it is entered; outside the main thread it only holds the flag."""

    def __init__(self) -> None:
        self.requested = False
        self._old: dict[int, Any] = {}

    def request(self) -> None:
        """Ask the loop to stop after the step it is in; callbacks may call this."""
        self.requested = True

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # a plain write: the handler may run in the middle of any print, and an answer must not wait for the next step
        os.write(2, b"\nstopping: saving and evaluating (once more leaves at once)\n")

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._old[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)
        self._old.clear()
