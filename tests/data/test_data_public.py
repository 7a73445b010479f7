import subprocess
import sys

import pytest

from recurra import data


def test_every_public_name_is_there_once():
    assert sorted(data.__all__) == sorted(set(data.__all__))
    for name in data.__all__:
        assert getattr(data, name) is not None
    assert set(data._NEED_TORCH) <= set(data.__all__)


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match=r"module 'recurra\.data' has no attribute 'nothing'"):
        _ = data.nothing


def test_importing_the_room_does_not_import_torch():
    check = "import sys, recurra.data; print('torch' in sys.modules, 'platformdirs' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)

    assert run.stdout.split() == ["False", "False"]
