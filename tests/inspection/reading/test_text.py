"""A reading in a terminal."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.errors import ArgumentError
from recurra.inspection import reading_text
from recurra.inspection.terminal_columns import columns
from tests.support.readings import made_reading

SENTENCE = [" le", " chat", " est", "\n"]


def test_a_reading_has_one_row_a_token_and_says_what_its_columns_mean():
    output = [[-0.9, 0, 0.9], [-0.3, 0.3, 0.6], [0.14, 0.16, -0.5], [0.9, -0.9, 0.0]]
    reading = made_reading(SENTENCE, output=output, unknown=("é", "ü"), condition="low")

    lines = list(reading_text(reading, 110))

    assert lines == [
        "id  token   prob  bits  next    prob  layer 1",
        " 4  ␣le        –     –  ␣chat  50.0%  ▁▄▇",
        " 5  ␣chat  25.0%  2.00  ␣est   50.0%  ▃▅▆",
        " 6  ␣est   25.0%  2.00  ⏎      50.0%  ▄▅▂",
        " 7  ⏎      25.0%  2.00  ␣le    50.0%  ▇▁▄",
        "",
        "the first token has nothing before it and so no probability; the 3 behind it cost 6.00 bits, 2.00 each, read",
        "  for low",
        "prob, bits: what a token has and costs, given those before it; next: the likeliest token behind it",
        "layer 1: its output, a mark for each unit: ▁ −0.9, ▄ 0, ▇ 0.9",
        "␣ space, ⏎ line end",
        "the run does not know these and reads them as unknown: 'é' 'ü'",
    ]


def test_many_units_share_marks_and_a_mark_is_their_mean():
    output = np.tile(np.repeat([0.5, -0.5, 0.25, 1.0], 25), (2, 1))
    output[:, :50:2] += 0.25
    output[:, 1:50:2] -= 0.25
    reading = made_reading(["a", "b"], output=output[:, :99])

    lines = list(reading_text(reading, 60))

    strip = lines[1].split()[-1]
    size = next(size for size in range(1, 99) if len(strip) == -(-99 // size))
    means = [output[0, start : min(start + size, 99)].mean() for start in range(0, 99, size)]
    largest = max(map(abs, means))
    assert strip == "".join("▁▂▃▄▅▆▇"[round(mean / largest * 3) + 3] for mean in means)
    assert f"a mark for the mean of {size} units" in " ".join(lines)
    assert size > 1


@pytest.mark.parametrize("width", [60, 61, 80, 200])
@pytest.mark.parametrize("num_units", [1, 3, 47, 1000])
def test_no_line_is_wider_than_the_terminal(width, num_units):
    tokens = ["Donaudampfschifffahrtsgesellschaft", "日本語日本語日本語日本語", "a", " ", "\u0301", "\x00" * 9]
    reading = made_reading(tokens, (num_units,), ids=np.arange(6) + 99_995, unknown=tuple("éüö" * 9))

    lines = list(reading_text(reading, width))

    assert max(map(columns, lines)) <= width
    strips = [line.split()[-1] for line in lines[1:7]]
    assert len(set(map(len, strips))) == 1
    assert len(strips[0]) >= min(num_units, 12)


def test_lines_below_are_broken_by_columns():
    reading = made_reading(["a", "b"], (4,), unknown=tuple("日本語漢字仮名循環"), condition="日本語" * 9)

    lines = list(reading_text(reading, 60))

    assert max(map(columns, lines)) <= 60
    assert "日本語" * 9 in "".join(line.strip() for line in lines)


def test_tokens_from_right_to_left_stay_in_their_columns():
    lines = list(reading_text(made_reading(["שלום", "ab", "سلام"], (1,))))

    assert lines[1].startswith(" 4  \u2068שלום\u2069       –     –  ab    50.0%  ")
    assert "\u2068سلام\u2069" in lines[2]
    bare = [line.replace("\u2068", "").replace("\u2069", "") for line in lines[1:4]]
    assert {columns(line[: line.rindex("%")]) for line in bare} == {34}


def test_one_token_costs_nothing_that_could_be_said():
    lines = list(reading_text(made_reading(["a"], (1,))))

    assert lines[1].split()[:4] == ["4", "a", "–", "–"]
    assert "the first token has nothing before it and so no probability" in lines


def test_states_of_zero_have_the_middle_mark():
    lines = list(reading_text(made_reading(["a", "b"], output=np.zeros((2, 5)))))

    assert [line.split()[-1] for line in lines[1:3]] == ["▄▄▄▄▄", "▄▄▄▄▄"]


def test_what_is_certain_costs_zero_bits_and_what_is_impossible_infinitely_many():
    lines = list(reading_text(made_reading(["a", "b", "c"], log_probs=np.array([np.nan, -0.0, -np.inf]))))

    assert [line.split()[2:4] for line in lines[2:4]] == [["100.0%", "0.00"], ["0.0%", "inf"]]


def test_a_terminal_must_have_room_for_the_table():
    with pytest.raises(ArgumentError, match="reading_text expected a width of at least 60 columns, got 59"):
        list(reading_text(made_reading(["a"]), 59))
