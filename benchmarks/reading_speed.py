"""How fast do characters become ids? From UTF-8 file to memory-mapped corpus, nothing cached, in MB/s."""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
from pathlib import Path

from recurra.data import catalog, open_corpus
from support.limits import verdict
from support.machine import machine

LEAST_MB_PER_S = 20


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    text = catalog.resolve(["builtin:python-manual"]).paths[0].read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds = {"ASCII": text, "mixed": text.replace("e", "\u00e9").replace("the", "\u5b57\U0001f600")}
        for kind, content in kinds.items():
            raw = content.encode()
            raw *= max(options.megabytes * 1_000_000 // len(raw), 1)
            path = folder / f"{kind}.txt"
            path.write_bytes(raw)
            report(kind, path, len(raw), options.repeats, folder)
        packed = folder / "packed.txt.gz"
        packed.write_bytes(gzip.compress(raw, 1))
        report("mixed, .gz", packed, len(raw), options.repeats, folder)


def report(kind: str, path: Path, num_bytes: int, repeats: int, folder: Path) -> None:
    """Print the median of several readings into fresh caches."""
    speeds = []
    for repeat in range(repeats):
        began = time.perf_counter()
        open_corpus([path], cache_dir=folder / f"cache-{path.name}-{repeat}")
        speeds.append(num_bytes / 1e6 / (time.perf_counter() - began))
    print(
        f"{kind:<10} {num_bytes / 1e6:6.0f} MB   {statistics.median(speeds):6.0f} MB/s   "
        f"[{min(speeds):.0f} .. {max(speeds):.0f}]   {verdict(statistics.median(speeds), at_least=LEAST_MB_PER_S)}"
    )


if __name__ == "__main__":
    main()
