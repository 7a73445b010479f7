"""Networks drawn with characters."""

import pytest

from recurra.errors import ArgumentError
from recurra.inspection import Network, unfolded_text
from recurra.inspection.terminal_columns import columns


def drawn(text):
    """A drawing without the indent of the test."""
    return "\n".join(line[4:] for line in text.splitlines()[1:])


def test_an_lstm_hands_on_two_states():
    assert unfolded_text(Network("LSTM", ("h", "c"), num_steps=2), 60) == drawn("""
    LSTM, unfolded over 2 steps
    many to many

                 y₁              y₂
                 ▲ W_y           ▲ W_y
             ┌───────┐       ┌───────┐
    c₀ ─────▶│       │─ c₁ ─▶│       │───▶ c₂
             │ LSTM  │       │ LSTM  │
    h₀ ─────▶│       │─ h₁ ─▶│       │───▶ h₂
         W_h └───────┘   W_h └───────┘
                 ▲ W_x           ▲ W_x
                 x₁              x₂

    W_x W_h W_y: the same weights at every step
    """)


def test_both_directions_meet_at_every_output():
    assert unfolded_text(Network("GRU", bidirectional=True, num_steps=2), 80) == drawn("""
    GRU, unfolded over 2 steps
    many to many · both directions

                     y₁                 y₂
                     ▲ W_y              ▲ W_y
               ┌─────┴──┐         ┌─────┴──┐
               │ ┌───────┐        │ ┌───────┐
        h₁ ◀───│─│  GRU  │◀── h₂ ─│─│  GRU  │◀────── h₃
               │ └───────┘ W_h←   │ └───────┘ W_h←
               │        ▲ W_x←    │        ▲ W_x←
              ┌───────┐ │        ┌───────┐ │
    h₀ ──────▶│  GRU  │─│─ h₁ ──▶│  GRU  │─│───▶ h₂
         W_h→ └───────┘ │   W_h→ └───────┘ │
             W_x→ ▲     │       W_x→ ▲     │
                  └──┬──┘            └──┬──┘
                     x₁                 x₂

    W_x→ W_h→ W_x← W_h← W_y: the same weights at every step
    → forward, ← backward; where both meet, their states are put one below the other
    """)


def test_many_to_one_takes_the_backward_state_of_the_first_step():
    network = Network("GRU", bidirectional=True, form="many-to-one", num_steps=2)

    assert (
        unfolded_text(network, 80).splitlines()[3:8]
        == drawn("""
                                        y₂
                                        ▲ W_y
                        ┌─────────┬─────┘
                 ┌───────┐        │ ┌───────┐
        h₁ ◀─────│  GRU  │◀── h₂ ─│─│  GRU  │◀────── h₃
    """).splitlines()[:5]
    )


def test_an_encoder_hands_its_last_state_to_the_decoder():
    network = Network("GRU", form="encoder-decoder", num_steps=2, feedback=True)

    assert (
        unfolded_text(network, 80).splitlines()[3:12]
        == drawn("""
                       encoder                           decoder

                                                    y₁               y₂
                                                    ▲ W_y            ▲ W_y
              ┌───────┐        ┌───────┐        ┌───────┐        ┌───────┐
    h₀ ──────▶│  GRU  │─ h₁ ──▶│  GRU  │─ h₂ ──▶│  GRU  │─ h′₁ ─▶│  GRU  │───▶ h′₂
          W_h └───────┘    W_h └───────┘   W′_h └───────┘   W′_h └───────┘
                  ▲ W_x            ▲ W_x            ▲ W′_x           ▲ W′_x
                  x₁               x₂              ⟨y₀⟩             ⟨y₁⟩
    """).splitlines()[:9]
    )


def test_a_decoder_stands_below_its_encoder_where_both_do_not_fit():
    lines = unfolded_text(Network("GRU", form="encoder-decoder", num_steps=9), 80).splitlines()

    first, second = (line for line in lines if "GRU" in line and "▶" in line)
    assert first == "h₀ ──────▶│  GRU  │─ h₁ ──▶│  GRU  │─ h₂ ──▶ ⋯ ─ h₈ ──▶│  GRU  │───▶ h₉"
    assert second == "h₉ ──────▶│  GRU  │─ h′₁ ─▶│  GRU  │─ h′₂ ─▶ ⋯ ─ h′₈ ─▶│  GRU  │───▶ h′₉"
    assert max(map(columns, lines)) <= 80


@pytest.mark.parametrize("width", [100, 120, 200])
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize(
    "options",
    [
        {"loss": True},
        {"form": "many-to-one"},
        {"form": "one-to-many", "feedback": True},
        {"bidirectional": True},
        {"bidirectional": True, "form": "many-to-one"},
    ],
)
def test_a_drawing_is_never_wider_than_asked(width, num_layers, options):
    network = Network("LSTM", ("h", "c"), num_layers=num_layers, num_steps=100, **options)

    lines = unfolded_text(network, width).splitlines()

    assert max(map(columns, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


def test_a_wider_terminal_shows_more_steps():
    boxes = [unfolded_text(Network("GRU", num_steps=50), width).count("┌") for width in (60, 90, 110, 400)]

    assert boxes == [2, 4, 5, 7]


def test_letters_of_two_places_leave_the_frame_straight():
    lines = unfolded_text(Network("循環", num_steps=1), 80).splitlines()

    ends = {columns(line[: line.index(mark) + 1]) for line in lines for mark in "┐┘" if mark in line}
    (middle,) = [line for line in lines if "循環" in line and "┌" not in line and "│" in line]
    assert ends == {columns(middle[: middle.rindex("│") + 1])}


def test_a_terminal_that_is_too_narrow_is_told_what_is_needed():
    network = Network("GRU", num_steps=50)

    with pytest.raises(ArgumentError) as caught:
        unfolded_text(network, 40)

    assert str(caught.value) == (
        "unfolded_text expected width to be at least 54 for this network, got 40\n"
        "hint: draw it as SVG, or give it fewer layers or directions"
    )
    assert unfolded_text(network, 54)


def test_titles_and_legends_are_broken_by_columns():
    network = Network("循環" * 20, ("状態状態",), input="入力入力", num_steps=1, loss=True)

    lines = unfolded_text(network, 60).splitlines()

    assert max(map(columns, lines)) <= 60
    assert "".join(lines).startswith("循環" * 20)


def test_marks_inside_names_take_no_column():
    plain, marked = (unfolded_text(Network("GRU", (name,)), 80).splitlines() for name in ("e", "e\u0301"))

    assert [columns(line) for line in marked] == [columns(line) for line in plain]
    assert "e\u0301₀" in "".join(marked)


@pytest.mark.parametrize(
    ("network", "heading"),
    [
        (Network("GRU", num_steps=1), "GRU, unfolded over 1 step"),
        (Network("GRU", num_steps=2), "GRU, unfolded over 2 steps"),
        (Network("GRU", form="encoder-decoder", num_steps=1), "GRU, unfolded over 1 + 1 steps"),
    ],
)
def test_steps_are_counted_in_the_heading(network, heading):
    assert unfolded_text(network, 100).splitlines()[0] == heading


@pytest.mark.parametrize(
    ("form", "note"),
    [
        ("one-to-one", "loss L of the step"),
        ("many-to-one", "loss L of the last step"),
        ("many-to-many", "loss L: the sum of the losses of all steps"),
        ("encoder-decoder", "loss L: the sum of the losses of all steps"),
    ],
)
def test_the_loss_is_said_to_be_what_it_is(form, note):
    assert note in unfolded_text(Network("GRU", form=form, loss=True), 100).splitlines()
