"""Names of states and weights."""

from recurra.inspection import Network
from recurra.inspection.drawing.labels import (
    Label,
    input_label,
    input_weight,
    named,
    output_label,
    output_weight,
    state_label,
    state_weight,
)
from recurra.inspection.drawing.network import BACKWARD, FORWARD


def test_names_of_greek_letters_become_the_letters():
    assert named("psi") == Label("ψ")
    assert named("lambda") == Label("λ")
    assert named("c_open") == Label("c", "open")
    assert named("r_alpha") == Label("r", "α")
    assert named("_x") == Label("_x")
    assert named("hidden") == Label("hidden")


def test_names_in_one_line_carry_their_time():
    network = Network("LSTM", ("h", "c_open"))

    texts = [input_label(network, 12), output_label(network, 3), state_label(network, "c_open", 0)]

    assert [label.text() for label in texts] == ["x₁₂", "y₃", "c_open₀"]


def test_layers_directions_and_parts_are_written_where_there_are_several():
    plain, stacked = Network("GRU"), Network("GRU", num_layers=2, bidirectional=True)

    assert state_weight(plain, "h", 1, FORWARD).text() == "W_h"
    assert input_weight(stacked, 2, BACKWARD).text() == "W_x⁽²⁾←"
    assert state_label(stacked, "h", 4, 1, FORWARD).text() == "h₄⁽¹⁾→"
    assert state_label(plain, "h", 4, part="decoder").text() == "h′₄"
    assert output_weight(stacked).text() == "W_y"


def test_what_stands_below_is_the_name_before_the_time():
    assert state_label(Network("A", ("c_open",)), "c_open", "t−1").below == "open,t−1"
