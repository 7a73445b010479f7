"""Words as LaTeX."""

from __future__ import annotations

import pytest

from recurra.inspection.pages.latex_text import latex_text, without_unknown


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (r"50 % & #1 of $x_1$ {a}", r"50 \% \& \#1 of \$x\_1\$ \{a\}"),
        (r"a\b^c~d", r"a\textbackslash{}b\textasciicircum{}c\textasciitilde{}d"),
        ("−1 ⊙ σ ≤ ∂", r"$-$1 $\odot$ $\sigma$ $\le$ $\partial$"),
        ("naïve – “über”", "naïve – “über”"),
    ],
)
def test_what_means_something_to_tex_is_written_out(text, wanted):
    assert latex_text(text) == wanted


def test_what_the_usual_fonts_lack_is_told_by_its_number():
    assert without_unknown("a\nb é 日 😀 \u200b\x07") == "a\nb é U+65E5 U+1F600 U+200BU+0007"
