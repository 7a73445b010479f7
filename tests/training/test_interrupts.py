import os
import signal
import threading

import pytest

from recurra.training.interrupts import StopRequest


def test_the_first_signal_asks_and_the_second_one_leaves_at_once():
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_termination_asks_too_and_handlers_are_put_back():
    before = signal.getsignal(signal.SIGTERM)

    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested

    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_the_main_thread_no_handler_is_touched():
    before = signal.getsignal(signal.SIGINT)
    seen = []

    def work():
        with StopRequest() as stop:
            seen.append(signal.getsignal(signal.SIGINT) is before)
            stop.request()
            seen.append(stop.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [True, True]
