import math

import pytest
import torch
from torch import nn

from recurra.training import TrainingConfig
from recurra.training.optimizers import build_optimizer, lr_at


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adam", torch.optim.Adam),
        ("adamw", torch.optim.AdamW),
    ],
)
def test_each_name_builds_its_optimiser_with_the_options_given(name, cls):
    config = TrainingConfig(optimizer=name, lr=0.5, momentum=0.7, beta1=0.6, beta2=0.8, weight_decay=0.1)

    optimizer = build_optimizer(nn.Linear(2, 3), config)

    assert type(optimizer) is cls
    group = optimizer.param_groups[0]
    assert group["lr"] == 0.5
    assert group.get("momentum", 0.7) == 0.7
    assert group.get("alpha", 0.8) == 0.8
    assert group.get("betas", (0.6, 0.8)) == (0.6, 0.8)


def test_weight_decay_spares_biases():
    optimizer = build_optimizer(nn.Linear(2, 3), TrainingConfig(weight_decay=0.1))

    decays = {
        parameter.ndim: group["weight_decay"] for group in optimizer.param_groups for parameter in group["params"]
    }

    assert decays == {2: 0.1, 1: 0.0}


def test_frozen_parameters_are_left_out():
    model = nn.Linear(2, 3)
    model.bias.requires_grad_(False)

    groups = build_optimizer(model, TrainingConfig()).param_groups

    assert sum(len(group["params"]) for group in groups) == 1


def rates(total=100, decays=0, **options):
    config = TrainingConfig(lr=1.0, **options)
    return [lr_at(config, step, total, decays) for step in range(total)]


def test_warm_up_rises_linearly_and_meets_the_peak():
    assert rates(schedule="constant", warmup_steps=4)[:6] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_cosine_falls_from_the_peak_to_its_fraction():
    values = rates(schedule="cosine", warmup_steps=0, final_lr_fraction=0.1)

    assert values[0] == 1.0
    assert values[50] == pytest.approx(0.55)
    assert values[99] == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi * 0.99)) / 2)
    assert values == sorted(values, reverse=True)


def test_cosine_waits_at_the_peak_while_the_length_is_unknown():
    config = TrainingConfig(lr=1.0, warmup_steps=2)

    assert lr_at(config, 50, None, 0) == 1.0


def test_step_decay_multiplies_at_each_border():
    values = rates(schedule="step", warmup_steps=0, decay_every=40, decay_factor=0.5)

    assert [values[0], values[39], values[40], values[80]] == [1.0, 1.0, 0.5, 0.25]


def test_plateau_decay_follows_the_validations():
    assert rates(schedule="plateau", warmup_steps=0, decays=3)[10] == 0.125
