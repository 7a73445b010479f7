"""Attention: for each query a weighted mean of a memory's steps, weighted by how well they fit."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.cells.checks import check_size
from recurra.errors import ArgumentError, ShapeError
from recurra.layers.additive_scores import additive_scores
from recurra.loop.checks import check_lengths


class Attention(nn.Module):
    """What both kinds share: the keys of a memory, the softmax over its valid steps, and the weighted mean.

        a_ts = softmax over s of score(q_t, m_s)
        c_t = sum over s of a_ts * m_s

    A subclass gives ``keys`` and ``scores``.

    Args:
        query_size: Width Q of a query.
        memory_size: Width M of the memory.

    Raises:
        ArgumentError: When a size is no integer of at least one.
    """

    def __init__(self, query_size: int, memory_size: int) -> None:
        super().__init__()
        who = type(self).__name__
        self.query_size = check_size(who, "query_size", query_size)
        self.memory_size = check_size(who, "memory_size", memory_size)

    def keys(self, memory: Tensor) -> Tensor:
        """Return what queries are compared with, (S, B, A), of a memory (S, B, M); it is the same for all queries."""
        raise NotImplementedError

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return how well queries (T, B, Q) fit keys (S, B, A), any real numbers. Shape (B, T, S)."""
        raise NotImplementedError

    def forward(
        self, query: Tensor, memory: Tensor, lengths: Tensor, *, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the context of each query, and the weights of the memory's steps.

        Args:
            query: Queries, each for itself. Shape (T, B, Q).
            memory: What is looked at; numbers behind a row's length are finite and come into nothing. Shape (S, B, M).
            lengths: Valid steps of each row of the memory, 0 to S. Shape (B,), integers.
            keys: What :meth:`keys` returned for this memory, where it is asked more than once.

        Returns:
            Contexts (T, B, M) and weights (T, B, S), which are zero behind the lengths and sum to one before. In a row
            of length 0 both are zero.

        Raises:
            ShapeError: When shapes do not fit, or a length is not in 0 to S.
        """
        self._check(query, memory)
        num_steps, batch_size = memory.shape[:2]
        lengths = check_lengths(type(self).__name__, lengths, num_steps, batch_size).to(memory.device)
        is_behind = (torch.arange(num_steps, device=memory.device) >= lengths.unsqueeze(1)).unsqueeze(1)  # (B, 1, S)
        scores = self.scores(query, self.keys(memory) if keys is None else keys)  # (B, T, S)
        # the smallest finite number and not minus infinity, whose softmax over no step at all would be undefined
        scores = scores.masked_fill(is_behind, torch.finfo(scores.dtype).min)
        weights = scores.softmax(-1).masked_fill(is_behind, 0)
        context = torch.bmm(weights, memory.transpose(0, 1))  # (B, T, M)
        return context.transpose(0, 1), weights.transpose(0, 1)

    def _check(self, query: Tensor, memory: Tensor) -> None:
        who = type(self).__name__
        for name, tensor, width in (("query", query, self.query_size), ("memory", memory, self.memory_size)):
            if tensor.dim() != 3 or tensor.shape[-1] != width:
                raise ShapeError(
                    f"{who} expected {name} of shape (time, batch, {name}_size={width}), got {tuple(tensor.shape)}"
                )
        if query.shape[1] != memory.shape[1]:
            raise ShapeError(
                f"{who} expected query and memory to have one batch, got {query.shape[1]} and {memory.shape[1]} rows"
            )

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"{self.query_size}, {self.memory_size}"


class AdditiveAttention(Attention):
    """Attention by a small network with one hidden layer.

        score(q, m) = v^T tanh(W q + U m + b)

    Args:
        query_size: Width Q of a query.
        memory_size: Width M of the memory.
        hidden_size: Width A of the network; None means ``query_size``.

    Raises:
        ArgumentError: When a size is no integer of at least one.

    Example:
        >>> attention = AdditiveAttention(4, 6)
        >>> context, weights = attention(torch.zeros(2, 3, 4), torch.zeros(5, 3, 6), torch.tensor([5, 2, 0]))
        >>> context.shape, weights.shape, weights[0, 1].tolist()
        (torch.Size([2, 3, 6]), torch.Size([2, 3, 5]), [0.5, 0.5, 0.0, 0.0, 0.0])

    Source: Bahdanau, Cho and Bengio 2015, arXiv 1409.0473, appendix A.1.2. Differs: the network has a bias.
    """

    def __init__(self, query_size: int, memory_size: int, hidden_size: int | None = None) -> None:
        super().__init__(query_size, memory_size)
        width = query_size if hidden_size is None else check_size("AdditiveAttention", "hidden_size", hidden_size)
        self.from_query = nn.Linear(query_size, width, bias=False)
        self.from_memory = nn.Linear(memory_size, width)
        self.direction = nn.Parameter(torch.empty(width))
        nn.init.uniform_(self.direction, -(width**-0.5), width**-0.5)

    def keys(self, memory: Tensor) -> Tensor:
        """Return U m + b (S, B, A) of a memory (S, B, M)."""
        keys: Tensor = self.from_memory(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores (B, T, S) of queries (T, B, Q) and keys (S, B, A)."""
        return additive_scores(self.from_query(query), keys, self.direction)


class DotAttention(Attention):
    """Attention by the inner product, of the memory as it is or after a linear map.

        score(q, m) = q^T m          "dot"
        score(q, m) = q^T W m        "general", with ``projection``

    Args:
        query_size: Width Q of a query.
        memory_size: Width M of the memory; without ``projection`` the same.
        projection: Whether there is the map W.

    Raises:
        ArgumentError: When a size is no integer of at least one, or the widths differ and nothing maps one to the
            other.

    Source: Luong, Pham and Manning 2015, arXiv 1508.04025, equation 8.
    """

    def __init__(self, query_size: int, memory_size: int, *, projection: bool = True) -> None:
        super().__init__(query_size, memory_size)
        if not projection and query_size != memory_size:
            raise ArgumentError(
                f"DotAttention expected query_size to be memory_size={memory_size} without a projection, "
                f"got {query_size}",
                hint="projection=True maps one to the other",
            )
        self.projection = nn.Linear(memory_size, query_size, bias=False) if projection else None

    def keys(self, memory: Tensor) -> Tensor:
        """Return W m, or m, (S, B, Q) of a memory (S, B, M)."""
        if self.projection is None:
            return memory
        keys: Tensor = self.projection(memory)
        return keys

    def scores(self, query: Tensor, keys: Tensor) -> Tensor:
        """Return the scores (B, T, S) of queries (T, B, Q) and keys (S, B, Q)."""
        return torch.bmm(query.transpose(0, 1), keys.permute(1, 2, 0))
