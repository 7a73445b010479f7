"""A cache of what was read lately, beside a recurrent language model: evaluation that adapts to the text."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from recurra.data import IGNORE_INDEX
from recurra.errors import ArgumentError, ShapeError

# Rows of similarities that are computed together. Each of them is multiplied with what any of them may look back to,
# size + rows positions: more rows mean more products in vain, fewer mean more calls.
_NUM_ROWS = 128
# similarities that are held at once, 64 MB in float64; rows become fewer where that would not do
_MAX_SIMILARITIES = 1 << 23


class WordCache:
    """The continuous cache: words that followed states like the present one become likelier.

        p(w) = (1 - weight) p_model(w) + weight p_cache(w)
        p_cache(w) = sum_i [w = x_{i+1}] exp(flatness h_t . h_i)  /  sum_i exp(flatness h_t . h_i)

    h_t is the output of the model's last recurrent layer, from which the symbol x_{t+1} is predicted, and i runs over
    the ``size`` positions before t, as far as there are any in the stream; before there are, p = p_model. Positions
    whose target is ``IGNORE_INDEX`` take up a place, but count for nothing. Nothing is trained. Memory holds at most
    ``size + 128`` positions of each stream.

    Args:
        size: Positions that are looked back to, at least 1.
        weight: Share of the cache in the mixture, at least 0 and below 1.
        flatness: Factor of the similarities; 0 counts every remembered word alike.

    Source: E. Grave, A. Joulin and N. Usunier, "Improving neural language models with a continuous cache", ICLR 2017,
        arXiv 1612.04426, section 3, the cache with linear interpolation.
    """

    def __init__(self, size: int, weight: float, flatness: float) -> None:
        if size < 1:
            raise ArgumentError(f"WordCache expected size to be at least 1, got {size}")
        if not 0 <= weight < 1:
            raise ArgumentError(f"WordCache expected weight to be at least 0 and below 1, got {weight}")
        if not 0 <= flatness < math.inf:
            raise ArgumentError(f"WordCache expected flatness to be finite and at least 0, got {flatness}")
        self.size, self.weight, self.flatness = size, weight, flatness
        self._log_weights = (math.log1p(-weight), math.log(weight) if weight else -math.inf)
        self._ring: _Ring | None = None

    @torch.no_grad()
    def mix(self, output: Tensor, nll: Tensor, targets: Tensor, *, starts_anew: bool) -> Tensor:
        """Return the negative log-likelihoods under the mixture, and remember the batch.

        Args:
            output: States from which the targets were predicted. Shape (T, B, H).
            nll: Negative log-likelihood of each target under the model, in nats. Shape (T, B).
            targets: What came next, int64 of shape (T, B); ``IGNORE_INDEX`` where none counts.
            starts_anew: Whether the streams begin with this batch; if not, they go on from the batch before, where
                there was one.

        Returns:
            Negative log-likelihoods (T, B) in the type of ``nll``; as they were where no target counts.

        Raises:
            ShapeError: When the shapes do not fit, or differ from those of the streams that are to go on.
        """
        _check_shapes(output, nll, targets)
        if starts_anew or self._ring is None:
            num_rows = max(1, min(_NUM_ROWS, _MAX_SIMILARITIES // (output.shape[1] * (self.size + _NUM_ROWS))))
            self._ring = _Ring(output, self.size, num_rows)
        self._ring.check_goes_on(output)
        blocks = zip(torch.split(output, self._ring.num_rows), torch.split(targets, self._ring.num_rows), strict=True)
        log_probs, anything = zip(*(self._ring.log_probs(*block, self.flatness) for block in blocks), strict=True)
        log_cache = torch.cat(log_probs)  # (T, B)
        keep, add = self._log_weights
        mixed = -torch.logaddexp(keep - nll.to(log_cache), add + log_cache)
        return torch.where(torch.cat(anything) & (targets != IGNORE_INDEX), mixed.to(nll.dtype), nll)


class _Ring:
    """The last positions of some streams; new ones overwrite the oldest, so nothing that stays is ever moved."""

    def __init__(self, output: Tensor, size: int, num_rows: int) -> None:
        _, num_streams, hidden_size = output.shape
        self.size, self.num_rows, self.num_seen = size, num_rows, 0
        num_slots = size + num_rows
        # half precision has too few digits for similarities
        dtype = torch.promote_types(output.dtype, torch.float32)
        self.states = torch.empty(num_streams, num_slots, hidden_size, dtype=dtype, device=output.device)
        self.words = torch.empty(num_streams, num_slots, dtype=torch.int64, device=output.device)
        self.positions = torch.empty(num_slots, dtype=torch.int64, device=output.device)  # what lies in each slot

    def log_probs(self, output: Tensor, targets: Tensor, flatness: float) -> tuple[Tensor, Tensor]:
        """Remember at most ``num_rows`` steps; return log p_cache of their targets, and where the cache held anything.

        Both have the shape (T, B); the first means nothing where the second is False.
        """
        states, words = output.transpose(0, 1).to(self.states), targets.t().to(self.words)  # (B, T, H), (B, T)
        now = torch.arange(self.num_seen, self.num_seen + len(output), device=self.words.device)
        slots = now % len(self.positions)
        self.states.index_copy_(1, slots, states)
        self.words.index_copy_(1, slots, words)
        self.positions[slots] = now
        self.num_seen += len(output)

        used = slice(min(self.num_seen, len(self.positions)))
        similarities = (states @ self.states[:, used].transpose(1, 2)).mul_(flatness)  # (B, T, S)
        age = now[:, None] - self.positions[used]
        counts = (age >= 1) & (age <= self.size) & (self.words[:, None, used] != IGNORE_INDEX)
        same = words[:, :, None] == self.words[:, None, used]
        total = similarities.masked_fill_(~counts, -math.inf).logsumexp(2)
        log_probs = similarities.masked_fill_(~same, -math.inf).logsumexp(2) - total
        return log_probs.t(), counts.any(2).t()

    def check_goes_on(self, output: Tensor) -> None:
        num_streams, _, hidden_size = self.states.shape
        if output.shape[1:] != (num_streams, hidden_size):
            raise ShapeError(
                f"WordCache expected output of shape (T, {num_streams}, {hidden_size}), as the streams that go on have "
                f"it, got {tuple(output.shape)}",
                hint="starts_anew=True begins new streams",
            )


def _check_shapes(output: Tensor, nll: Tensor, targets: Tensor) -> None:
    if output.dim() != 3 or 0 in output.shape:
        raise ShapeError(f"WordCache expected output of shape (T, B, H), none of them 0, got {tuple(output.shape)}")
    for name, tensor in (("nll", nll), ("targets", targets)):
        if tensor.shape != output.shape[:2]:
            raise ShapeError(
                f"WordCache expected {name} of the shape (T, B) of output, {tuple(output.shape[:2])}, "
                f"got {tuple(tensor.shape)}"
            )


__all__ = ["WordCache"]
