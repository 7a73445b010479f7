"""Options of the cell and of the layers, as a configuration names them."""

import pytest
import torch

from recurra.cells import RHNCell
from recurra.errors import ArgumentError, ConfigError, UnsupportedCellError
from recurra.layers import RecurrentDropout, Zoneout
from recurra.models import LanguageModel
from recurra.models.weight_transfer import copy_weights
from recurra.tasks.shared.cell_options import read_options
from recurra.tasks.text import DataConfig, ModelConfig, TextConfig, TextTask
from recurra.tasks.text.saved_state import repeated


def layers_of(path, **model):
    config = TextConfig(data=DataConfig(data=(str(path),)), model=ModelConfig(hidden_size=6, num_layers=2, **model))
    return TextTask.from_config(config).build_model().recurrent


def test_values_are_read_as_json_and_else_as_text():
    given = ("depth=5", "residual=true", 'zoneout={"h": 0.1}', "merge_mode=sum", "open-ratio=0.5", "name=a=b")

    assert read_options(given) == {
        "depth": 5,
        "residual": True,
        "zoneout": {"h": 0.1},
        "merge_mode": "sum",
        "open_ratio": 0.5,
        "name": "a=b",
    }


def test_options_reach_the_cells_and_the_layers(text_file):
    layers = layers_of(text_file, cell="rhn", cell_options=("depth=5", "residual=true"))

    assert isinstance(layers.cell_l1, RHNCell)
    assert layers.cell_l1.depth == 5
    assert layers.residual


def test_modifiers_reach_the_cells(text_file):
    layers = layers_of(text_file, zoneout=0.25, recurrent_dropout=0.5, weight_dropout=0.125)

    assert isinstance(layers.cell_l0, Zoneout)
    assert isinstance(layers.cell_l0.cell, RecurrentDropout)
    assert layers.modifiers.changed() == {"zoneout": 0.25, "recurrent_dropout": 0.5, "weight_dropout": 0.125}


def test_zoneout_by_states_is_an_option(text_file):
    layers = layers_of(text_file, cell_options=('zoneout={"h": 0.05, "c": 0.5}',))

    assert layers.modifiers.zoneout == {"h": 0.05, "c": 0.5}


def test_an_option_that_the_cell_lacks_is_an_error(text_file):
    with pytest.raises(UnsupportedCellError, match="unexpected keyword argument 'deph'"):
        layers_of(text_file, cell="rhn", cell_options=("deph=5",))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell_options": ("bidirectional=true",)}, "expected no bidirectional in cell_options of such a model"),
        ({"cell_options": ("input_size=3",)}, "expected no input_size in cell_options, as the task knows it"),
        ({"cell_options": ("depth",)}, "expected cell_options as name=value, got depth"),
        ({"cell_options": ("=3",)}, "expected cell_options as name=value, got =3"),
        ({"cell_options": ("dropout=0.1",)}, "expected dropout as a key of its own and not in cell_options"),
        ({"cell_options": ("depth=1", "depth=2")}, "expected each of cell_options once, got depth again"),
        ({"cell_options": ("zoneout=0.1",), "zoneout": 0.1}, "expected zoneout once, got it in cell_options too"),
        ({"zoneout": 1.0}, r"expected zoneout in \[0, 1\), got 1.0"),
    ],
)
def test_options_that_do_not_fit_are_errors(options, message):
    with pytest.raises(ConfigError, match=message):
        ModelConfig(**options)


def test_states_of_different_widths_are_repeated_for_several_texts(text_file):
    torch.manual_seed(0)
    layers = layers_of(text_file, cell="qrnn", embedding_size=4)
    _, state = layers(torch.randn(3, 1, layers.input_size))

    copies, logits = repeated(state, torch.zeros(1, 7), 4)

    assert not layers.is_stacked
    assert logits.shape == (4, 7)
    for mine, theirs in zip(copies, state, strict=True):
        for copy, part in zip(mine, theirs, strict=True):
            assert torch.equal(copy, part.expand(4, -1))


def test_a_run_without_zoneout_is_where_one_with_it_may_start():
    plain = LanguageModel(5, cell="lstm", hidden_size=4)
    model = LanguageModel(5, cell="lstm", hidden_size=4, zoneout=0.1, weight_dropout=0.2)

    copy_weights(model, plain.state_dict(), list(range(5)))

    theirs = plain.recurrent.cell_l0
    ours = model.recurrent.cell_l0.cell
    torch.testing.assert_close(ours.weight_ih, theirs.weight_ih, rtol=0, atol=0)
    torch.testing.assert_close(ours.parametrizations.weight_hh.original, theirs.weight_hh, rtol=0, atol=0)


def test_a_language_model_reads_forward_only():
    with pytest.raises(ArgumentError, match="LanguageModel expected no bidirectional"):
        LanguageModel(5, bidirectional=True)


@pytest.mark.parametrize("given", [{}, {"zoneout": 0.1}, {"variational_dropout": 0.2}, {"skip_through_time": 2}])
def test_one_hot_weights_move_with_their_symbols_whatever_the_cell_is_given(given):
    torch.manual_seed(0)
    theirs, ours = (LanguageModel(6, input="one-hot", hidden_size=4, num_layers=1, **given).eval() for _ in range(2))
    order = torch.tensor([3, 1, 5, 0, 2, 4])

    copy_weights(ours, theirs.state_dict(), order.tolist())

    tokens = torch.randint(0, 6, (5, 2))
    torch.testing.assert_close(ours(tokens)[0], theirs(order[tokens])[0][..., order])


def test_one_hot_weights_of_a_cell_that_reads_its_input_twice_stay_with_their_symbols():
    theirs, ours = (LanguageModel(6, cell="mut1", input="one-hot", hidden_size=4, num_layers=1) for _ in range(2))

    copy_weights(ours, theirs.state_dict(), list(range(6)))
    with pytest.raises(ConfigError, match="as MUT1Cell reads one-hot vectors by more than one matrix, got others"):
        copy_weights(ours, theirs.state_dict(), [1, 0, 2, 3, 4, 5])
