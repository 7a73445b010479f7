import numpy as np
from matplotlib.axes import Axes

from recurra.tasks.translate.pictures import draw_attention


def test_tokens_are_drawn_as_they_are(tmp_path, monkeypatch):
    drawn = []
    set_xticks = Axes.set_xticks

    def noted(axes, places, labels, **options):
        set_xticks(axes, places, labels, **options)
        drawn.extend(label for label in axes.get_xticklabels())

    monkeypatch.setattr(Axes, "set_xticks", noted)

    draw_attention(np.eye(3), ["$x_$", "漢字", "a"], ["$", "\\$", "b"], tmp_path / "a.png")

    assert [label.get_text() for label in drawn] == ["$x_$", "漢字", "a"]
    assert not any(label.get_parse_math() for label in drawn)
    assert (tmp_path / "a.png").stat().st_size > 1000
