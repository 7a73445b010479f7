"""A trained language model that reads a text: its states at each token, and what it expects next."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from recurra.cells.checks import check_size
from recurra.data import BOS_ID, EOS_ID, IGNORE_INDEX, SPECIAL_SYMBOLS, Tokenizer
from recurra.data.subword_library import BYTE_SYMBOLS
from recurra.decoding import SamplingPolicy
from recurra.errors import ArgumentError
from recurra.layers import Recurrent
from recurra.layers.states import part_states
from recurra.loop.probing import as_tuple, state_names
from recurra.tasks.text.drafting import Choice
from recurra.training.evaluation import evaluating

if TYPE_CHECKING:
    from recurra.tasks.text import TextRun

MAX_TOKENS = 500
"""Tokens that are read unless more are asked for."""
_REPLACEMENT = "\ufffd"
_BYTE_OF_SYMBOL = {ord(symbol): chr(byte) for byte, symbol in enumerate(BYTE_SYMBOLS)}


@dataclass(frozen=True)
class LayerValues:
    """The values of one state of one layer at each token.

    Attributes:
        layer: Number of the layer, from 1.
        name: Name of the state, such as h or c.
        values: The state behind each token. Shape (T, width), float32.
    """

    layer: int
    name: str
    values: np.ndarray


@dataclass(frozen=True)
class Reading:
    """What a model makes of a text, token by token.

    Attributes:
        unit: What a token is: a character, a word, a token or a subword.
        condition: Label that it was read for; None for a model without labels.
        ids: Number of each token, that of the beginning of a line included. Shape (T,), int64.
        tokens: Each token as the model sees it: a line end is a line break, what is unknown is ``<unk>``.
        unknown: What the text has that the model does not know, in order of appearance.
        log_probs: Natural logarithm of the probability of each token given those before it; NaN for the first, which
            none is before. Shape (T,), float64.
        choices: The likeliest tokens behind each token, the likeliest first.
        states: The states of each layer, layer by layer.
        output: The output of the last layer at each token, which the softmax sees. Shape (T, H), float32.
    """

    unit: str
    condition: str | None
    ids: np.ndarray
    tokens: tuple[str, ...]
    unknown: tuple[str, ...]
    log_probs: np.ndarray
    choices: tuple[tuple[Choice, ...], ...]
    states: tuple[LayerValues, ...]
    output: np.ndarray

    @property
    def num_tokens(self) -> int:
        """Tokens, the beginning of a line included."""
        return len(self.tokens)

    @property
    def num_layers(self) -> int:
        """Layers of the model."""
        return self.states[-1].layer

    @property
    def surprisals(self) -> np.ndarray:
        """Bits that each token costs, NaN for the first: (T,), float64."""
        bits: np.ndarray = -self.log_probs / math.log(2) + 0.0  # certain is 0 and not -0
        return bits


def read_text(
    run: TextRun, text: str, *, num_choices: int = 5, condition: str | None = None, max_tokens: int = MAX_TOKENS
) -> Reading:
    r"""Read a text as ``generate`` reads its prime, and keep all that can be seen on the way.

    A model of lines reads the beginning of a line first, and the text is one line. A model of streams begins with the
    text; put a line break in front to read it as ``score`` does, behind the end of another line. Probabilities are the
    model's own, as in ``score``: also of what is unknown and of other tokens that ``generate`` never writes.

    Args:
        run: The trained model.
        text: What to read.
        num_choices: Likeliest tokens to keep behind each token.
        condition: Label to read for, where the model was trained with labels.
        max_tokens: Tokens that may be read.

    Returns:
        A ``Reading`` of the tokens of the text.

    Raises:
        ArgumentError: When the text holds no token or too many, or is no single line for a model of lines; when
            ``num_choices`` or ``max_tokens`` is no integer of at least 1, or a condition is missing or superfluous.
        ChoiceError: When the run knows no such label.
    """
    check_size("read_text", "num_choices", num_choices)
    check_size("read_text", "max_tokens", max_tokens)
    label = run.label_number(condition)
    ids = _checked_ids(run, text, max_tokens)
    with evaluating(run.model):
        steps = list(_iter_steps(run, ids, label, num_choices))
    return Reading(
        unit=run.tokenizer.unit,
        condition=condition,
        ids=ids,
        tokens=tuple(_token_text(run.tokenizer, token) for token in ids.tolist()),
        unknown=tuple(run.tokenizer.unknown_in(text)),
        **_joined(run.model.recurrent, steps),
    )


def _checked_ids(run: TextRun, text: str, max_tokens: int) -> np.ndarray:
    """Return the ids that the model reads, or raise."""
    ids = run.tokenizer.encode(text)
    if not len(ids):
        raise ArgumentError(f"read_text expected a text of at least one {run.tokenizer.unit}, got {text[:60]!r}")
    if run.is_of_lines and EOS_ID in ids[:-1]:
        raise ArgumentError(
            f"read_text expected one line for a model of lines, got a line break inside {text[:60]!r}",
            hint="read one line after the other",
        )
    if run.is_of_lines:
        ids = np.concatenate([[BOS_ID], ids])
    if len(ids) > max_tokens:
        raise ArgumentError(
            f"read_text expected a text of at most max_tokens={max_tokens} tokens, got {len(ids)}",
            hint=f"give less text, or --max-tokens {len(ids)}",
        )
    return ids


class _Step(NamedTuple):
    """What one token leaves behind.

    Attributes:
        follower_log_prob: Log-probability of the token behind it; NaN where none is.
        choices: The likeliest tokens behind it.
        output: The output of the last layer, (H,).
        states: The states of each cell, (width,) each.
    """

    follower_log_prob: float
    choices: tuple[Choice, ...]
    output: np.ndarray
    states: list[list[np.ndarray]]


def _iter_steps(run: TextRun, ids: np.ndarray, label: int | None, num_choices: int) -> Iterator[_Step]:
    """Yield what each token leaves behind, read one by one, as ``generate`` reads what it has written."""
    model, recurrent, state = run.model, run.model.recurrent, None
    device = next(model.parameters()).device
    labels = None if label is None else torch.tensor([label], device=device)
    uncounted = torch.full((1, 1), IGNORE_INDEX, device=device)
    policy = SamplingPolicy()
    for token, follower in zip(torch.from_numpy(ids).to(device), [*ids[1:].tolist(), None], strict=True):
        # asking for no target gives the output of the layers
        prediction, state = model(token.view(1, 1), state, labels=labels, targets=uncounted)
        log_probs = policy.log_probs(model.decoder.logits(prediction.output[0]))[0]  # (V,)
        cells = part_states(state, recurrent.num_cells, is_stacked=recurrent.is_stacked)
        yield _Step(
            follower_log_prob=math.nan if follower is None else float(log_probs[follower]),
            choices=_likeliest(run.tokenizer, log_probs, num_choices),
            output=_values(prediction.output[0]),
            states=[[_values(part) for part in as_tuple(cell)] for cell in cells],
        )


def _likeliest(tokenizer: Tokenizer, log_probs: Tensor, num_choices: int) -> tuple[Choice, ...]:
    probs, tokens = log_probs.exp().topk(min(num_choices, len(log_probs)))
    found = zip(tokens.tolist(), probs.tolist(), strict=True)
    return tuple(Choice(token, _token_text(tokenizer, token), prob) for token, prob in found)


def _values(row: Tensor) -> np.ndarray:
    """Return the only row of (1, width) as float32."""
    values: np.ndarray = row[0].float().cpu().numpy()
    return values


def _joined(recurrent: Recurrent, steps: Sequence[_Step]) -> dict[str, Any]:
    """Return what a reading has of all steps together."""
    return {
        "log_probs": np.array([math.nan, *(step.follower_log_prob for step in steps[:-1])]),
        "choices": tuple(step.choices for step in steps),
        "states": tuple(_by_layer(recurrent, [step.states for step in steps])),
        "output": np.stack([step.output for step in steps]),
    }


def _by_layer(recurrent: Recurrent, steps: list[list[list[np.ndarray]]]) -> Iterator[LayerValues]:
    """Yield the states of all steps, (T, width) each, layer by layer."""
    for layer in range(recurrent.num_layers):
        names = state_names(recurrent.get_submodule(f"cell_l{layer}"), len(steps[0][layer]))
        for place, name in enumerate(names):
            yield LayerValues(layer + 1, name, np.stack([step[layer][place] for step in steps]))


def _token_text(tokenizer: Tokenizer, token: int) -> str:
    r"""Return the text of one token: special symbols but the line end by name, bytes of half a character as \xc3."""
    if token < EOS_ID:
        return SPECIAL_SYMBOLS[token]
    text = tokenizer.decode([token])
    if tokenizer.kind != "bpe" or _REPLACEMENT not in text:
        return text
    symbol = tokenizer.vocabulary.symbols[token]
    return symbol.translate(_BYTE_OF_SYMBOL).encode("latin-1").decode("utf-8", "backslashreplace")
