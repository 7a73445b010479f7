"""A linear-chain conditional random field: tags that know what stands beside them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from recurra.cells.checks import check_size
from recurra.layers.log_partition import log_partition
from recurra.layers.tag_checks import check_emissions, tags_to_read
from recurra.layers.tag_constraints import TagConstraints
from recurra.layers.viterbi import viterbi


class LinearChainCRF(nn.Module):
    """Scores of tags that follow each other, beside those that each step gives its tag.

        score(y) = start[y_1] + sum_t emissions_t[y_t] + sum_t transitions[y_{t-1}, y_t] + end[y_n]
        p(y) = exp(score(y)) / sum over all y' of exp(score(y'))

    Args:
        num_tags: Number K of tags.

    Attributes:
        transitions: Score of a tag (column) after another (row). Shape (K, K).
        start: Score of a tag at the first step. Shape (K,).
        end: Score of a tag at the last step. Shape (K,).

    Raises:
        ArgumentError: When ``num_tags`` is no integer of at least one.

    Example:
        >>> crf = LinearChainCRF(3)
        >>> emissions, tags = torch.zeros(4, 2, 3), torch.zeros(4, 2, dtype=torch.int64)
        >>> crf.neg_log_likelihood(emissions, tags, lengths=[4, 2]).shape
        torch.Size([2])

    Source: Lafferty, McCallum and Pereira 2001, Conditional random fields; over a recurrent network as in Huang, Xu and
    Yu 2015, arXiv 1508.01991, and Lample et al. 2016, arXiv 1603.01360, section 2.2.
    """

    def __init__(self, num_tags: int) -> None:
        super().__init__()
        self.num_tags = check_size("LinearChainCRF", "num_tags", num_tags)
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))
        self.start = nn.Parameter(torch.empty(num_tags))
        self.end = nn.Parameter(torch.empty(num_tags))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the scores anew, near zero: at first the emissions decide."""
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -0.1, 0.1)

    def neg_log_likelihood(self, emissions: Tensor, tags: Tensor, lengths: Tensor | Sequence[int]) -> Tensor:
        """Return -log p(tags) in nats for each row; zero for an empty one.

        Args:
            emissions: Score of each tag at each step. Shape (T, B, K). What stands behind the lengths is not read.
            tags: The tags. Shape (T, B), integers in [0, K) within the lengths and any behind them.
            lengths: Valid steps of each row (B,), 0 allowed.

        Returns:
            Shape (B,), in float32 at least. It can be differentiated once.

        Raises:
            ShapeError: When an argument is of another shape.
            ArgumentError: When a tag within the lengths is none.
        """
        who = "LinearChainCRF"
        known, is_valid = check_emissions(who, emissions, lengths, self.num_tags)
        readable = tags_to_read(who, tags, is_valid, self.num_tags)
        dtype = torch.promote_types(torch.promote_types(emissions.dtype, self.start.dtype), torch.float32)
        emissions, transitions, start, end = (
            scores.to(dtype) for scores in (emissions, self.transitions, self.start, self.end)
        )
        log_sum = log_partition(emissions, known, transitions, start, end)
        given = emissions.gather(2, readable.unsqueeze(2)).squeeze(2)  # (T, B)
        between = transitions[readable[:-1], readable[1:]]  # (T-1, B)
        last = readable[(known - 1).clamp_min(0), torch.arange(len(known), device=known.device)]  # (B,)
        score = given.masked_fill(~is_valid, 0).sum(0) + between.masked_fill(~is_valid[1:], 0).sum(0)
        return log_sum - (score + (start[readable[0]] + end[last]).masked_fill(known == 0, 0))

    def decode(
        self, emissions: Tensor, lengths: Tensor | Sequence[int], constraints: TagConstraints | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the most probable tags (T, B), -100 behind the lengths, and their scores (B,).

        Args:
            emissions: Score of each tag at each step. Shape (T, B, K).
            lengths: Valid steps of each row (B,), 0 allowed.
            constraints: Which tags may stand where; None allows all. The likelihood knows of none, as the tags of
                real data seldom keep to all rules.

        Raises:
            ShapeError: When an argument is of another shape.
            ArgumentError: When the constraints allow no sequence of a row's length.
        """
        check_emissions("LinearChainCRF", emissions, lengths, self.num_tags)
        return viterbi(
            emissions, lengths, transitions=self.transitions, start=self.start, end=self.end, constraints=constraints
        )

    def extra_repr(self) -> str:
        """Return the number of tags."""
        return str(self.num_tags)
