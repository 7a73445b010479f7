import pytest
import torch

from recurra.errors import ConfigError
from recurra.models import LanguageModel, copy_weights


@pytest.mark.parametrize("num_labels", [0, 3])
@pytest.mark.parametrize("input", ["embedding", "one-hot"])
def test_weights_move_to_another_vocabulary_symbol_by_symbol(input, num_labels):
    options = {"hidden_size": 3, "input": input, "num_labels": num_labels, "label_size": 2}
    old = LanguageModel(4, **options).eval()  # <unk> a b c
    new = LanguageModel(5, **options).eval()  # <unk> c x a y
    fresh = {name: tensor.clone() for name, tensor in new.state_dict().items()}

    copy_weights(new, old.state_dict(), [0, 3, -1, 1, -1])

    labels = torch.tensor([num_labels - 1]) if num_labels else None
    ours, theirs = torch.tensor([[0], [3], [1], [3]]), torch.tensor([[0], [1], [3], [1]])
    got, expected = new(ours, labels=labels)[0], old(theirs, labels=labels)[0]
    assert torch.allclose(got[..., [0, 1, 3]], expected[..., [0, 3, 1]], atol=1e-6)
    assert torch.equal(new.decoder.weight[2], fresh["decoder.weight"][2])


def test_weights_of_another_shape_are_refused_by_name():
    with pytest.raises(ConfigError, match=r"decoder\.weight expected shape \[4, 3\], got \[4, 6\]"):
        copy_weights(LanguageModel(4, hidden_size=3), LanguageModel(4, hidden_size=6).state_dict(), [0, 1, 2, 3])
    with pytest.raises(ConfigError, match=r"recurrent\.cell_l1\.weight_ih is not in this model"):
        copy_weights(LanguageModel(4, num_layers=1), LanguageModel(4, num_layers=2).state_dict(), [0, 1, 2, 3])


def test_weights_with_other_labels_are_refused():
    new, old = (LanguageModel(4, hidden_size=3, num_labels=count, label_size=2) for count in (3, 5))

    with pytest.raises(ConfigError, match=r"label_embedding\.weight expected shape \[3, 2\], got \[5, 2\]"):
        copy_weights(new, old.state_dict(), [0, 1, 2, 3])
    with pytest.raises(ConfigError, match=r"label_embedding\.weight is missing"):
        copy_weights(new, LanguageModel(4, hidden_size=3).state_dict(), [0, 1, 2, 3])


def test_one_hot_weights_of_another_label_width_are_refused():
    options = {"hidden_size": 3, "input": "one-hot", "num_labels": 3}
    new, old = LanguageModel(4, label_size=2, **options), LanguageModel(5, label_size=4, **options)

    with pytest.raises(ConfigError, match=r"cell_l0\.weight_ih expected shape \[12, 7\], got \[12, 9\]"):
        copy_weights(new, old.state_dict(), [0, 1, 2, 3])


def test_an_adaptive_softmax_takes_weights_over_the_same_symbols_only():
    new, old = (LanguageModel(9, hidden_size=4, adaptive_cutoffs=(5,)).eval() for _ in range(2))
    tokens = torch.tensor([[0], [8]])

    copy_weights(new, old.state_dict(), list(range(9)))

    assert torch.equal(new(tokens)[0], old(tokens)[0])
    with pytest.raises(
        ConfigError, match=r"same symbols in the same order on both sides, .* adaptive softmax"
    ) as found:
        copy_weights(new, old.state_dict(), [0, 2, 1, *range(3, 9)])
    assert "adaptive_cutoffs" in found.value.hint


def test_an_adaptive_softmax_over_more_symbols_is_refused():
    new, old = (LanguageModel(size, hidden_size=4, adaptive_cutoffs=(5,)) for size in (9, 10))

    with pytest.raises(ConfigError, match=r"embedding\.weight expected shape \[9, 4\], got \[10, 4\]"):
        copy_weights(new, old.state_dict(), list(range(9)))
