"""What a network to draw is, and what it refuses."""

import pytest

from recurra.errors import ArgumentError, ChoiceError
from recurra.inspection import Network


def shown(network, most=8):
    """The columns as text: r reads an input, o an output, w writes; dots where steps are left out."""
    words = []
    for column in network.columns(most):
        if column is None:
            words.append("...")
        else:
            marks = {"input": "r", "output": "o", "nothing": ""}[column.reads] + ("w" if column.writes else "")
            words.append(f"{column.part[:1]}{column.time}{marks}")
    return " ".join(words)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "1rw 2rw 3rw"),
        ({"form": "one-to-one"}, "1rw"),
        ({"form": "one-to-many"}, "1rw 2w 3w"),
        ({"form": "one-to-many", "feedback": True}, "1rw 2ow 3ow"),
        ({"form": "many-to-one"}, "1r 2r 3rw"),
        ({"form": "encoder-decoder", "num_steps": 2}, "e1r e2r d1w d2w"),
        ({"form": "encoder-decoder", "num_steps": 2, "feedback": True}, "e1r e2r d1ow d2ow"),
        ({"num_steps": 1}, "1rw"),
        ({"num_steps": 8}, "1rw 2rw 3rw 4rw 5rw 6rw 7rw 8rw"),
        ({"num_steps": 9}, "1rw 2rw 3rw 4rw ... 7rw 8rw 9rw"),
        ({"form": "many-to-one", "num_steps": 1000}, "1r 2r 3r 4r ... 998r 999r 1000rw"),
        ({"form": "encoder-decoder", "num_steps": 4}, "e1r e2r e3r e4r d1w d2w d3w d4w"),
        ({"form": "encoder-decoder", "num_steps": 5}, "e1r e2r ... e5r d1w d2w ... d5w"),
    ],
)
def test_a_form_says_which_steps_read_and_write(options, expected):
    assert shown(Network("GRU", **options)) == expected


@pytest.mark.parametrize(("most", "expected"), [(3, "1rw ... 9rw"), (4, "1rw 2rw ... 9rw"), (5, "1rw 2rw ... 8rw 9rw")])
def test_the_first_and_the_last_step_are_always_there(most, expected):
    assert shown(Network("GRU", num_steps=9), most) == expected


def test_many_steps_cost_no_time():
    assert len(Network("GRU", num_steps=10**12).columns()) == 8


def test_the_output_takes_a_letter_that_is_free():
    assert Network("GRU").output_name == "y"
    assert Network("LEM", ("y", "z")).output_name == "o"
    assert Network("Own", ("y", "o"), input="q").output_name == "u"


def test_words_tell_form_layers_and_directions():
    assert Network("GRU").describe() == "many to many"
    assert Network("GRU", form="encoder-decoder").describe() == "encoder–decoder"
    assert Network("GRU", num_layers=2, bidirectional=True).describe() == "many to many · 2 layers · both directions"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"states": ()}, "Network expected at least one name in states, got none"),
        ({"states": ("h", "h")}, "Network expected different names for states, input and output, got 'h' twice"),
        ({"input": "h"}, "Network expected different names for states, input and output, got 'h' twice"),
        ({"output": "x"}, "Network expected different names for states, input and output, got 'x' twice"),
        ({"input": " "}, "Network expected printable names for cell, states, input and output, got ' '"),
        ({"states": ("h\x00",)}, "Network expected printable names for cell, states, input and output, got 'h\\x00'"),
        ({"recurrent": ("c",)}, "Network expected names of states for recurrent, got 'c'"),
        ({"num_layers": 0}, "Network expected num_layers to be an integer of at least 1, got 0"),
        ({"num_layers": 9}, "Network expected num_layers to be at most 8, got 9"),
        ({"num_layers": 2.5}, "Network expected num_layers to be an integer of at least 1, got 2.5"),
        ({"num_layers": True}, "Network expected num_layers to be an integer of at least 1, got True"),
        ({"num_steps": 0}, "Network expected num_steps to be an integer of at least 1, got 0"),
        ({"num_steps": 2.5}, "Network expected num_steps to be an integer of at least 1, got 2.5"),
        ({"num_steps": "2"}, "Network expected num_steps to be an integer of at least 1, got '2'"),
        ({"bidirectional": "no"}, "Network expected bidirectional to be True or False, got 'no'"),
        ({"feedback": 1}, "Network expected feedback to be True or False, got 1"),
        ({"loss": None}, "Network expected loss to be True or False, got None"),
        ({"states": (1,)}, "Network expected states to be a tuple of names, got (1,)"),
        ({"states": "hc"}, "Network expected states to be a tuple of names, got 'hc'"),
        ({"states": None}, "Network expected states to be a tuple of names, got None"),
        ({"recurrent": "h"}, "Network expected recurrent to be a tuple of names, got 'h'"),
        ({"input": 2}, "Network expected input to be a name, got 2"),
        ({"input": None}, "Network expected input to be a name, got None"),
        ({"output": b"y"}, "Network expected output to be a name, got b'y'"),
        (
            {"states": ("\u0301h",)},
            "Network expected names that begin with a character of their own, got '\u0301h'\n"
            "hint: a mark is drawn on the character before it",
        ),
        (
            {"form": "one-to-one", "num_steps": 2},
            "Network expected num_steps=1 for the form one-to-one, got 2\n"
            "hint: many-to-many has one output for one input at every step",
        ),
        (
            {"form": "one-to-many", "bidirectional": True},
            "Network expected bidirectional=False for the form one-to-many, got True\n"
            "hint: outputs that are written one after the other leave nothing to read backwards",
        ),
        (
            {"form": "encoder-decoder", "bidirectional": True},
            "Network expected bidirectional=False for the form encoder-decoder, got True\n"
            "hint: outputs that are written one after the other leave nothing to read backwards",
        ),
        (
            {"feedback": True},
            "Network expected feedback=False for the form many-to-many, got True\n"
            "hint: outputs are fed back in one-to-many and encoder-decoder",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(options, message):
    with pytest.raises(ArgumentError) as caught:
        Network("GRU", **options)

    assert str(caught.value) == message


def test_an_unknown_form_lists_the_known_ones():
    with pytest.raises(ChoiceError) as caught:
        Network("GRU", form="many-to-none")

    assert str(caught.value) == (
        "expected form to be one of one-to-one, one-to-many, many-to-one, many-to-many, encoder-decoder; "
        "got 'many-to-none'\nhint: did you mean 'many-to-one'?"
    )
