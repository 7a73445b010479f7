import numpy as np
import pytest

from recurra.data.number_files import WIDE_TYPES, NumberFiles, StoredArray


def test_a_file_widens_with_its_numbers(tmp_path):
    with NumberFiles(tmp_path) as files:
        file = files.open("ids")
        for largest, dtype in [(255, "|u1"), (256, "<u2"), (65_535, "<u2"), (65_536, "<u4"), (2**32 - 1, "<u4")]:
            file.append(np.array([1, largest]), largest)
            assert file.dtype.str == dtype
        arrays = files.finish()

    assert arrays == {"ids": StoredArray("<u4", 10)}
    assert arrays["ids"].open(tmp_path, "ids").tolist() == [
        number for largest in (255, 256, 65_535, 65_536, 2**32 - 1) for number in (1, largest)
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["ids.bin"]


def test_ends_of_a_very_long_text_have_room(tmp_path):
    with NumberFiles(tmp_path) as files:
        file = files.open("ends", WIDE_TYPES)
        file.append(np.array([5, 2**32 - 1]), 2**32 - 1)
        assert file.dtype.str == "<u4"
        file.append(np.array([2**32, 2**40]), 2**40)
        arrays = files.finish()

    assert arrays == {"ends": StoredArray("<u8", 4)}
    assert arrays["ends"].open(tmp_path, "ends").tolist() == [5, 2**32 - 1, 2**32, 2**40]


def test_a_file_of_another_size_is_not_whole(tmp_path):
    array = StoredArray("<u2", 3)

    (tmp_path / "ids.bin").write_bytes(b"123456")
    assert array.is_whole(tmp_path, "ids")
    (tmp_path / "ids.bin").write_bytes(b"12345")
    assert not array.is_whole(tmp_path, "ids")
    with pytest.raises(FileNotFoundError):
        array.is_whole(tmp_path, "ends")


def test_a_mapped_array_cannot_be_changed(tmp_path):
    (tmp_path / "ids.bin").write_bytes(b"\1\0\2\0")

    numbers = StoredArray("<u2", 2).open(tmp_path, "ids")

    assert numbers.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        numbers[0] = 3
