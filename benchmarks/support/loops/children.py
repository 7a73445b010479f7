"""What needs a process of its own: the first trace and later compilations, and the peak of memory."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from support.loops.report import Options, Report
from support.loops.work import Size

BENCHMARKS = Path(__file__).parents[2]
MEMORY_SIZES = (Size(50, 32, 200, 200), Size(100, 64, 256, 256), Size(256, 16, 128, 512))
MOST_COMPILE_S = 1.0
MEMORY_LAYERS = ("LSTM", "GRU")


def run_child(module: str, *arguments: object, environment: dict[str, str] | None = None) -> Any:
    """Run a module of this folder in a fresh process, and return the JSON it printed; a failure ends the script."""
    paths = os.pathsep.join([str(BENCHMARKS), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", f"support.loops.{module}", *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"failed: {module} {' '.join(map(str, arguments))}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_compile(report: Report, options: Options) -> None:
    """Seconds from a cell to machine code of both passes."""
    repeats = 1 if options.quick else 5
    found = run_child("compile_times", options.compiling_engine, options.threads, repeats)
    report.row(
        f"{'first of the process':<22} {found['first_s']:6.2f} s   (an Elman cell; loads LLVM and torch's tracer)",
        cell="first",
        seconds=[found["first_s"]],
    )
    for name, seconds in found["cells"].items():
        report.row(
            f"{name:<22} {statistics.median(seconds):6.2f} s   [{min(seconds):.2f} .. {max(seconds):.2f}]",
            cell=name,
            seconds=seconds,
        )
    slowest = max(found["cells"], key=lambda name: statistics.median(found["cells"][name]))
    report.judge(
        f"forward and backward of the slowest, {slowest}, median",
        statistics.median(found["cells"][slowest]),
        at_most=MOST_COMPILE_S,
        unit="s",
    )


def measure_memory(report: Report, options: Options) -> None:
    """Peak of resident memory of one forward and backward pass, above what was there before it."""
    if not Path("/proc/self/clear_refs").exists():
        print("this needs /proc/self/clear_refs, which Linux has")
        return
    print("peak of resident memory in one forward and backward pass, above what was resident before; a process each")
    print(f"{'layer':<6} {'T, B, I, H':<22}   ours MB   torch MB   ours / torch")
    for name in MEMORY_LAYERS[: 1 if options.quick else 2]:
        for size in MEMORY_SIZES[: 1 if options.quick else 3]:
            ours, theirs = _peaks(name, size, options)
            ratio = ours / theirs
            report.row(
                f"{name:<6} {size!s:<22} {ours / 1e6:9.1f} {theirs / 1e6:10.1f} {ratio:14.2f}",
                layer=name,
                size=size,
                ours_bytes=ours,
                theirs_bytes=theirs,
            )
            # what is to be reached was said of the LSTM
            if name == "LSTM":
                report.judge(f"peak of ours / torch's at {size}", ratio, at_most=1.0)


def _peaks(name: str, size: Size, options: Options) -> tuple[float, float]:
    # large blocks are given back when they are freed, so that one pass leaves nothing for the next to find
    environment = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    found: dict[str, list[float]] = {"recurra": [], "torch": []}
    for _ in range(1 if options.quick else 3):
        for library, peaks in found.items():
            arguments = (library, name, *size, options.compiling_engine, options.threads)
            peaks.append(run_child("peak_memory", *arguments, environment=environment))
    return statistics.median(found["recurra"]), statistics.median(found["torch"])
