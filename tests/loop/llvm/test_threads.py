"""Tasks on torch's threads: every piece is done once, whatever the team, and a forked child goes on alone."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import llvmlite.ir as ir
import pytest
import torch

from recurra.errors import ArgumentError
from recurra.loop.llvm import products, threads
from recurra.loop.llvm.jit import compile_module, host_target
from recurra.loop.llvm.vectors import i64, index, new_function, pointer
from tests.support.guarded import guarded

Task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
PIECES = 37


def forks(test):
    """Mark a test that forks while other threads live, of which newer Pythons warn: that is what it is about."""
    test = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")(test)
    return pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")(test)


@pytest.fixture(scope="module")
def counting():
    """Machine code of a task: ``arguments`` are the number of pieces, then a place for each; it writes there."""
    module = ir.Module("counting")
    with new_function(module, "task", [pointer, i64, i64], host_target(), 8) as (e, (arguments, thread, team)):
        b = e.b

        def piece(number, _):
            place = b.gep(arguments, [b.add(number, index(1))], source_etype=i64)
            # who did it last, how many times, in which team
            done = b.add(b.and_(b.load(place, typ=i64), index(0xFF00)), index(0x100))
            b.store(b.add(b.add(done, b.shl(team, index(16))), thread), place)

        e.loop(thread, b.load(arguments, typ=i64), team, [], piece)
    code = compile_module(module)
    yield code.address("task")
    del code


def count(task, num_threads, run=threads.run):
    """Return a list of (thread, times, team) for each piece."""
    arguments = (ctypes.c_int64 * (1 + PIECES))(PIECES)
    run(task, arguments, num_threads)
    return [(value & 0xFF, value >> 8 & 0xFF, value >> 16) for value in arguments[1:]]


def address_of(callback):
    return ctypes.cast(callback, ctypes.c_void_p).value


@pytest.mark.parametrize("num_threads", [1, 2, 3, 5])
def test_every_piece_is_done_once(counting, num_threads):
    pieces = count(counting, num_threads)

    assert {times for _, times, _ in pieces} == {1}
    (team,) = {team for _, _, team in pieces}
    assert team <= num_threads
    assert [thread for thread, _, _ in pieces] == [number % team for number in range(PIECES)]


@pytest.mark.skipif(threads.team_of_torch() is None, reason="torch is linked with no OpenMP runtime that is known")
def test_as_many_threads_as_asked_take_part(counting):
    assert {team for _, _, team in count(counting, 3)} == {3}


def test_arguments_may_be_given_by_address(counting):
    arguments = (ctypes.c_int64 * 3)(2)

    threads.run(counting, ctypes.addressof(arguments), 1)

    assert list(arguments) == [2, 0x10100, 0x10100]


@pytest.mark.parametrize("num_threads", [0, -1, 2**31])
def test_a_number_of_threads_out_of_range_is_refused(counting, num_threads):
    with pytest.raises(ArgumentError, match=rf"^run expected num_threads from 1 to 2147483647, got {num_threads}$"):
        count(counting, num_threads)


def test_a_smaller_team_than_asked_covers_all_pieces(counting):
    found = []

    @Task
    def outer(_, thread, team):
        # OpenMP gives no second level of threads by default
        if thread == 0:
            found.extend(count(counting, 4))

    threads.run(address_of(outer), 0, 2)

    assert [times for _, times, _ in found] == [1] * PIECES
    if threads.thread_limit() is None:
        assert {team for _, _, team in found} == {1}


def test_python_runs_on_while_a_task_does():
    # usleep takes its time from where a task takes its arguments
    usleep = ctypes.cast(ctypes.CDLL(None).usleep, ctypes.c_void_p).value
    sleeper = threading.Thread(target=threads.run, args=(usleep, 900_000, 1))
    start = time.monotonic()

    sleeper.start()
    time.sleep(0.05)
    here = time.monotonic() - start
    sleeper.join()

    assert here < 0.6
    assert time.monotonic() - start >= 0.85


def test_several_python_threads_run_tasks_at_once(counting):
    def work(_):
        return all({times for _, times, _ in count(counting, 2)} == {1} for _ in range(50))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts threads in /proc")
def test_no_second_pool_of_threads_is_made(counting):
    before_threads, size = torch.get_num_threads(), 1 << 20
    try:
        torch.set_num_threads(3)
        torch.ones(size).sin_()
        before = set(os.listdir("/proc/self/task"))
        pieces = count(counting, 3)
        after = set(os.listdir("/proc/self/task"))
    finally:
        torch.set_num_threads(before_threads)

    assert {team for _, _, team in pieces} == {3}
    assert after <= before


def in_child(work, limit_s=30):
    """Return what a forked child exits with: 0 when ``work`` returns true."""
    child = os.fork()
    if child == 0:
        code = 2
        try:
            # a limit on tests may have set a handler, which Python would not get to run while a task hangs
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(limit_s)
            code = 0 if work() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@forks
def test_a_forked_child_uses_one_thread(counting):
    count(counting, 2)

    assert in_child(lambda: {(times, team) for _, times, team in count(counting, 2)} == {(1, 1)}) == 0
    assert in_child(lambda: threads.thread_limit() == 1) == 0
    assert {times for _, times, _ in count(counting, 2)} == {1}


@forks
@pytest.mark.parametrize("lock", [threads._lock, products._lock], ids=["threads", "products"])
def test_a_child_does_not_wait_for_a_lock_that_the_parent_holds(lock):
    held = threading.Event()

    def hold():
        with lock:
            held.set()
            time.sleep(0.2)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    code = in_child(lambda: threads.thread_limit() == 1 and products.kernels(4).product > 0)
    holder.join()

    assert code == 0


def test_without_openmp_one_thread_does_all(counting, monkeypatch):
    monkeypatch.setattr(threads, "_libraries", lambda: [])
    threads._team.cache_clear()
    try:
        limit, pieces = threads.thread_limit(), count(counting, 4)
    finally:
        threads._team.cache_clear()

    assert limit == 1
    assert set(pieces) == {(0, 1, 1)}


def test_libraries_without_the_symbols_are_passed_over(monkeypatch):
    libm = Path(ctypes.util.find_library("m") or "libm.so.6")
    torch_libraries = threads._libraries()
    monkeypatch.setattr(threads, "_libraries", lambda: [libm, *torch_libraries])
    threads._team.cache_clear()
    try:
        assert (threads.team_of_torch() is None) == (threads.thread_limit() == 1)
        assert threads.team_of_torch() is not None
    finally:
        threads._team.cache_clear()


def test_a_task_writes_only_where_its_arguments_are(counting):
    arguments = guarded((1 + PIECES,), torch.int64)
    arguments[0] = PIECES

    threads.run(counting, arguments.data_ptr(), 2)

    assert bool((arguments[1:] >> 8 & 0xFF == 1).all())
