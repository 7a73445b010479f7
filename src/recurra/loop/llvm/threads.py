"""Emitted tasks on the threads that torch has already.

A second pool of threads would fight with torch's own, which keep spinning for a while after every operation of torch;
so tasks run on the OpenMP runtime that torch is linked with. A task is machine code with the signature
``void task(i64 *arguments, i64 thread, i64 num_threads)``. The team may be smaller than asked for: a task covers its
pieces as ``for piece in range(thread, num_pieces, num_threads)``.
"""

from __future__ import annotations

import ctypes
import functools
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import llvmlite.ir as ir
import torch

from recurra.errors import ArgumentError
from recurra.loop.llvm.jit import Code, compile_module
from recurra.loop.llvm.vectors import Value, i32, i64, index, pointer

Arguments = ctypes.Array | int
"""What a task reads: an array of 64-bit integers, or its address."""

_SYMBOLS = ("GOMP_parallel", "omp_get_thread_num", "omp_get_num_threads", "GOMP_barrier")
# an unsigned int is what GOMP_parallel takes
_MAX_THREADS = 2**31 - 1
_call_task = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
_lock = threading.Lock()


@dataclass(frozen=True)
class Team:
    """The threads of an OpenMP runtime.

    Attributes:
        parallel: ``GOMP_parallel`` of the runtime.
        entry: What every thread of a team runs; it finds out its number and calls the task.
        barrier: Address of ``GOMP_barrier``, in which the threads of a team wait for one another.
        code: Machine code of ``entry``.
    """

    parallel: Any
    entry: int
    barrier: int
    code: Code


class _Process:
    """What holds for this process only."""

    forked = False


def run(address: int, arguments: Arguments, num_threads: int) -> None:
    """Run a task once on each of ``num_threads`` threads and wait for all of them; Python's lock is released.

    Args:
        address: Where the machine code of the task begins.
        arguments: What the task reads; it must stay alive until the task is done.
        num_threads: Threads to use, 1 or more. Fewer are used where the runtime gives fewer.

    Raises:
        ArgumentError: When ``num_threads`` lies outside its range.
    """
    if not 1 <= num_threads <= _MAX_THREADS:
        raise ArgumentError(f"run expected num_threads from 1 to {_MAX_THREADS}, got {num_threads}")
    place = arguments if isinstance(arguments, int) else ctypes.addressof(arguments)
    team = None if num_threads == 1 or _Process.forked else team_of_torch()
    if team is None:
        _task(address)(place, 0, 1)
    else:
        call = (ctypes.c_int64 * 2)(address, place)
        team.parallel(team.entry, ctypes.addressof(call), num_threads, 0)


def barrier_address() -> int:
    """Return where a team's threads wait for one another; 0 where there are no teams."""
    team = team_of_torch()
    return 0 if team is None else team.barrier


def thread_limit() -> int | None:
    """Return how many threads ``run`` can use at most; ``None`` means as many as the runtime gives.

    It is 1 where torch is linked with no OpenMP runtime that is known, and in a forked child, where the threads of its
    parent are gone and the runtime cannot make new ones.
    """
    return 1 if _Process.forked or team_of_torch() is None else None


def team_of_torch() -> Team | None:
    """Return the threads of the OpenMP runtime that torch is linked with; ``None`` where there is none."""
    with _lock:
        return _team()


@functools.cache
def _team() -> Team | None:
    for path in _libraries():
        # a library that torch has loaded is found again under its path, with all that it is linked with
        library = ctypes.CDLL(str(path))
        if all(hasattr(library, symbol) for symbol in _SYMBOLS):
            parallel = library.GOMP_parallel
            parallel.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint)
            parallel.restype = None
            code = compile_module(_entry_module(*(_address(library, symbol) for symbol in _SYMBOLS[1:3])))
            return Team(parallel, code.address("entry"), _address(library, "GOMP_barrier"), code)
    return None


def _libraries() -> list[Path]:
    """List where torch's OpenMP runtime may be found, the surest place first."""
    folder = Path(torch.__file__).parent / "lib"
    names = ("libtorch_cpu.so", "libtorch_cpu.dylib", "libgomp*", "libomp*", "libiomp5*")
    return [path for name in names for path in sorted(folder.glob(name))]


def _address(library: ctypes.CDLL, symbol: str) -> int:
    address = ctypes.cast(getattr(library, symbol), ctypes.c_void_p).value
    assert address is not None
    return address


def _entry_module(thread_num: int, num_threads: int) -> ir.Module:
    """Return ``void entry(i64 call[2])``: call[0] is a task's address, call[1] that of its arguments."""
    module = ir.Module("entry")
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer]), "entry")
    b = ir.IRBuilder(function.append_basic_block("entry"))

    def ask(address: int) -> Value:
        known = b.inttoptr(index(address), ir.FunctionType(i32, []).as_pointer())
        return b.sext(b.call(known, []), i64)

    call = function.args[0]
    task, arguments = (b.load(b.gep(call, [index(i)], source_etype=i64), typ=i64) for i in range(2))
    signature = ir.FunctionType(ir.VoidType(), [pointer, i64, i64])
    numbers = [ask(thread_num), ask(num_threads)]
    b.call(b.inttoptr(task, signature.as_pointer()), [b.inttoptr(arguments, pointer), *numbers])
    b.ret_void()
    return module


@functools.lru_cache(maxsize=1024)
def _task(address: int) -> Callable[[int, int, int], None]:
    return _call_task(address)


def _after_fork() -> None:
    _Process.forked = True
    _lock.release()


if hasattr(os, "register_at_fork"):
    # no other thread may hold the lock while a child is made, which would wait for it forever
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_after_fork)
