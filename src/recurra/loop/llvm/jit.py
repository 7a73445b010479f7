"""From LLVM modules to machine code in memory: what the host can do, and how long code lives."""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass

import llvmlite.binding as llvm
import llvmlite.ir as ir


@dataclass(frozen=True)
class Target:
    """A kind of machine that code is made for.

    Attributes:
        triple: LLVM's name of architecture, vendor and system.
        cpu: LLVM's name of the processor.
        features: LLVM's list of what it has, ``+a,-b``.
        vector_bytes: Width of a vector register.
        tile_rows: Rows of a product's tile.
        tile_vectors: Vectors of a product's tile; tile_rows * tile_vectors accumulators stay in registers.
    """

    triple: str
    cpu: str
    features: str
    vector_bytes: int
    tile_rows: int
    tile_vectors: int

    def lanes(self, item_bytes: int) -> int:
        """Return how many numbers of ``item_bytes`` a vector holds."""
        return self.vector_bytes // item_bytes


# LLVM keeps to 256-bit vectors on many machines with AVX-512 unless told otherwise
_AVX512 = "+avx512f,+avx512vl,+avx512dq,+avx512bw,+avx2,+fma,-prefer-256-bit"

TARGETS = {
    "avx512": Target("x86_64-unknown-linux-gnu", "skylake-avx512", _AVX512, 64, 6, 4),
    "avx2": Target("x86_64-unknown-linux-gnu", "haswell", "+avx2,+fma", 32, 4, 3),
    "neon": Target("aarch64-unknown-linux-gnu", "generic", "+neon", 16, 6, 4),
    "plain": Target("x86_64-unknown-linux-gnu", "x86-64", "", 16, 4, 2),
}
"""A target for each width of vectors that the emitter knows, to look at code for machines that are not the host."""

_lock = threading.Lock()
if hasattr(os, "register_at_fork"):
    # a child must find it free, and LLVM not in the middle of something
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


class Code:
    """Machine code of one module; freed with this object."""

    def __init__(self, engine: llvm.ExecutionEngine) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Return where the function ``name`` begins."""
        address: int = self._engine.get_function_address(name)
        return address


@functools.cache
def host_target() -> Target:
    """Return the machine this runs on, with the widest vectors that it has and LLVM handles well."""
    _initialize()
    features = llvm.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl") and features.get("avx512dq"):
        shape, extra = (64, 6, 4), ",-prefer-256-bit"
    elif features.get("avx2") and features.get("fma"):
        shape, extra = (32, 4, 3), ""
    elif features.get("neon"):
        shape, extra = (16, 6, 4), ""
    else:
        shape, extra = (16, 4, 2), ""
    return Target(llvm.get_process_triple(), llvm.get_host_cpu_name(), features.flatten() + extra, *shape)


def compile_module(module: ir.Module, target: Target | None = None) -> Code:
    """Compile a module for the host.

    Args:
        module: LLVM functions.
        target: The host, or a narrower kind of the same architecture; ``None`` is the host.

    Returns:
        The code; its functions can be called as long as it lives.
    """
    with _lock:
        parsed, machine = _optimize(module, target or host_target())
        engine = llvm.create_mcjit_compiler(parsed, machine)
        engine.finalize_object()
        return Code(engine)


def assembly(module: ir.Module, target: Target) -> str:
    """Return the assembly text of a module for any target; it is verified by LLVM, and not run."""
    with _lock:
        parsed, machine = _optimize(module, target)
        text: str = machine.emit_assembly(parsed)
        return text


def optimized_text(module: ir.Module, target: Target | None = None) -> str:
    """Return a module's LLVM text after LLVM's own passes."""
    with _lock:
        return str(_optimize(module, target or host_target())[0])


def _optimize(module: ir.Module, target: Target) -> tuple[llvm.ModuleRef, llvm.TargetMachine]:
    _initialize()
    module.triple = target.triple
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    machine = llvm.Target.from_triple(target.triple).create_target_machine(
        cpu=target.cpu, features=target.features, opt=3
    )
    # the emitter has vectorised and unrolled by itself
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(parsed, builder)
    return parsed, machine


@functools.cache
def _initialize() -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
