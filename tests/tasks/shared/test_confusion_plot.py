import numpy as np
import pytest
from matplotlib.axes import Axes

from recurra.tasks.shared.confusion_plot import MOST_NUMBERED, plot_confusion


@pytest.mark.parametrize("size", [1, 3, MOST_NUMBERED + 1, 200])
def test_a_picture_is_drawn_of_any_number_of_kinds(tmp_path, size):
    counts = np.arange(size * size).reshape(size, size) % 7

    plot_confusion(counts, [f"kind {index}" for index in range(size)], tmp_path / "a.png")

    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_names_that_a_picture_cannot_show_are_no_warning(tmp_path):
    plot_confusion(np.array([[1, 0], [0, 0]]), ["$x_", "漢字\t" + "long" * 30], tmp_path / "a.png", what="tag")

    assert (tmp_path / "a.png").stat().st_size > 1000


def test_names_are_drawn_in_the_letters_that_they_are_written_in(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(Axes, "set_xticks", lambda axes, places, labels, **options: drawn.extend(labels))

    plot_confusion(np.eye(3, dtype=int), ["русский", "ελληνικά", "two\nlines"], tmp_path / "a.png")

    assert drawn == ["русский", "ελληνικά", "two?lines"]
