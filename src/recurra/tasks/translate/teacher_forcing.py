"""When the decoder is fed the true token, and when its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recurra.tasks.translate.config import TranslateTraining

_STEEPNESS = 10.0
"""How far the logistic curve of inverse-sigmoid is followed: from 5 above its middle to 5 below it."""


def forcing_ratio(config: TranslateTraining, num_epochs: float) -> float:
    """Return the probability of feeding the true token after so many passes over the training part.

    Source: Bengio et al. 2015, Scheduled sampling for sequence prediction with recurrent neural networks,
    arXiv 1506.03099, section 2.4. Differs: every curve goes from the first to the final ratio in a given time.
    """
    first, final = config.teacher_forcing_ratio, config.teacher_forcing_final_ratio
    if config.teacher_forcing_decay == "constant":
        return first
    done = min(num_epochs / config.teacher_forcing_epochs, 1.0)
    if config.teacher_forcing_decay == "exponential":
        return first * math.pow(final / first, done)
    left = 1.0 - done if config.teacher_forcing_decay == "linear" else _logistic_share(done)
    return final + (first - final) * left


def _logistic_share(done: float) -> float:
    """Return a logistic curve that falls from 1 at 0 to 0 at 1."""
    least, most, here = (1 / (1 + math.exp(_STEEPNESS * (place - 0.5))) for place in (1.0, 0.0, done))
    return (here - least) / (most - least)


def draw_forced(config: TranslateTraining, num_epochs: float, targets: Tensor) -> Tensor | None:
    """Return which steps are fed the true token, drawn from torch's global random state.

    Args:
        config: Ratio, unit and decay.
        num_epochs: Passes over the training part so far.
        targets: What is predicted. Shape (T, B).

    Returns:
        bool of shape (T, B), or None where all steps are.
    """
    ratio = forcing_ratio(config, num_epochs)
    if ratio >= 1.0:
        return None
    num_steps, batch_size = targets.shape
    # drawn on the CPU, whose random state is the same wherever the model is
    drawn = torch.rand(num_steps if config.teacher_forcing_unit == "step" else 1, batch_size) < ratio
    return drawn.expand(num_steps, batch_size).to(targets.device)
