"""Which fonts can draw a text."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from matplotlib import font_manager

from recurra.inspection.reading.glyphs import drawable, font_families
from recurra.inspection.reading.visible_tokens import MARKS


@pytest.fixture
def fonts(monkeypatch):
    """Make a machine of three fonts by hand: the characters of each by its file."""
    glyphs = {"first": "abc", "second.ttf": "xyz", "third.ttf": "yz日", "boxes.ttf": "語"}
    entries = [("Third", "third.ttf"), ("Second", "second.ttf"), ("Broken", "broken.ttf"), ("Last Resort", "boxes.ttf")]

    def get_font(path):
        if path not in glyphs:
            raise RuntimeError(f"{path} cannot be read")
        return SimpleNamespace(get_char_index=lambda code: int(chr(code) in glyphs[path]))

    listed = [SimpleNamespace(name=name, fname=path, style="normal") for name, path in entries]
    monkeypatch.setattr(font_manager, "findfont", lambda family: "first")
    monkeypatch.setattr(font_manager, "get_font", get_font)
    monkeypatch.setattr(font_manager, "fontManager", SimpleNamespace(ttflist=listed))


@pytest.mark.usefixtures("fonts")
@pytest.mark.parametrize(
    ("characters", "families", "missing"),
    [
        ("ab", ["DejaVu Sans"], ""),
        ("ax", ["DejaVu Sans", "Second"], ""),
        ("y日", ["DejaVu Sans", "Second", "Third"], ""),
        ("日", ["DejaVu Sans", "Third"], ""),
        ("a語", ["DejaVu Sans"], "語"),
    ],
)
def test_the_fonts_of_a_machine_are_searched_for_what_the_first_one_lacks(characters, families, missing):
    assert font_families(characters) == (families, set(missing))


@pytest.mark.usefixtures("fonts")
def test_what_no_font_has_is_written_as_its_code_point():
    assert drawable(["ab", "a語x"]) == (["ab", "aU+8A9Ex"], ["DejaVu Sans", "Second"])


def test_the_marks_of_tokens_are_in_the_font_that_is_always_there():
    marks = [mark for mark, _ in MARKS.values()]

    assert drawable([*marks, "◌", "…", "−"]) == ([*marks, "◌", "…", "−"], ["DejaVu Sans"])
