"""The examples of docs/conversion.md run as they stand."""

import re
from pathlib import Path

import pytest

from recurra.layers.conversion.converting import FORMATS

GUIDE = (Path(__file__).parents[3] / "docs" / "conversion.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)


def run(blocks):
    names = {}
    exec(compile("\n".join(blocks), "conversion.md", "exec"), names)
    return names


def test_the_first_example_runs_and_gives_the_shapes_it_says():
    names = run(BLOCKS[:1])

    assert [names[name].shape for name in ("kernel", "recurrent_kernel", "bias")] == [(3, 16), (4, 16), (16,)]
    assert [names["node"][name].shape for name in "WRB"] == [(1, 16, 3), (1, 16, 4), (1, 32)]


def test_the_guide_has_a_row_for_every_format():
    assert re.findall(r'^\| `"([a-z-]+)"` \| (?:state|list|tree|the same|dict)', GUIDE, re.MULTILINE) == list(FORMATS)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
@pytest.mark.parametrize("library", ["keras", "flax.linen", "onnx"])
def test_the_examples_of_the_libraries_run(library, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_BACKEND", "numpy")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    pytest.importorskip(library, reason=f"{library} is one of the peers")

    run([BLOCKS[0], *(block for block in BLOCKS if block.startswith(f"import {library}\n"))])
