"""Print the peak of resident memory of one training pass: ``... peak_memory LIBRARY LAYER T B I H ENGINE THREADS``.

Bytes above what was resident before the pass; Linux only. Weights and the input are there before; what the pass makes,
gradients included, is counted, whoever allocates it.
"""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

import torch

import recurra
from support.loops.work import Size, Training


def status_bytes(key: str) -> int:
    """Return a figure of this process."""
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def main() -> None:
    """Run the measurement."""
    library, name = sys.argv[1:3]
    size, engine = Size(*map(int, sys.argv[3:7])), sys.argv[7]
    torch.set_num_threads(int(sys.argv[8]))
    if library == "torch":
        layer = getattr(torch.nn, name)(size.I, size.H)
    else:
        layer = getattr(recurra, name)(size.I, size.H, engine=engine)
    parameters = list(layer.parameters())
    # code is compiled and libraries are loaded on a short sequence; what they keep is no cost of a pass
    Training(lambda x: layer(x)[0], torch.randn(2, size.B, size.I), parameters)()
    x = torch.randn(size.T, size.B, size.I, requires_grad=True)
    gradient = torch.randn(size.T, size.B, size.H)
    for parameter in parameters:
        parameter.grad = None
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = status_bytes("VmRSS")
    layer(x)[0].backward(gradient)
    print(status_bytes("VmHWM") - before)


if __name__ == "__main__":
    main()
