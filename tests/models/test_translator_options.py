import pytest

from recurra.errors import ArgumentError, ChoiceError, ConfigError
from recurra.models import Translator


def build(**options):
    return Translator(9, 11, **{"hidden_size": 5, **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"context_input": True}, "context_input expected attention = 'none', got 'additive'"),
        ({"attention": "none", "input_feeding": True}, "input_feeding expected attention or context_input"),
        ({"input_feeding": True, "variational_dropout": 0.1}, "drawn once a sequence, got variational_dropout"),
        ({"input_feeding": True, "dropout_mask": "sequence"}, "drawn once a sequence, got dropout_mask"),
        ({"bridge": "copy"}, "an encoder that is not bidirectional, got one that is"),
        (
            {"bridge": "copy", "bidirectional": False, "encoder_layers": 2},
            "as many decoder_layers as encoder_layers=2, got 1",
        ),
        (
            {"bridge": "copy", "bidirectional": False, "decoder_hidden_size": 4},
            r"as wide as the encoder's, \(5, 5\), got \(4, 4\)",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, message):
    with pytest.raises(ConfigError, match=message):
        build(**options)


def test_all_faults_are_said_at_once():
    with pytest.raises(ConfigError) as caught:
        build(context_input=True, input_feeding=True, weight_dropout=0.1, recurrent_dropout_mask="sequence")

    assert len(caught.value.faults) == 3


def test_unknown_choices_and_options_of_one_network_are_refused():
    with pytest.raises(ChoiceError, match="attention of Translator to be one of none, additive, dot, general"):
        build(attention="luong")
    with pytest.raises(ChoiceError, match="bridge of Translator to be one of linear, copy"):
        build(bridge="none")
    with pytest.raises(ArgumentError, match=r"Translator expected hidden_size to be an integer .* got \(4, 6\)"):
        build(hidden_size=(4, 6))
    with pytest.raises(ArgumentError, match=r"Translator expected no batch_first, .* got batch_first=True"):
        build(batch_first=True)
