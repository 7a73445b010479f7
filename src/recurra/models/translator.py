"""A recurrent translator: one network reads a sentence, another writes it in other words."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recurra.cells.checks import check_size
from recurra.data import IGNORE_INDEX
from recurra.errors import ArgumentError, ChoiceError, ConfigError, ShapeError
from recurra.layers import AdditiveAttention, DotAttention, Recurrent
from recurra.loop.checks import check_lengths
from recurra.models.label_smoothing import smoothing_cost
from recurra.models.output_layers import FullSoftmax, nll_where_counted
from recurra.models.translator_bridge import Bridge, CopyBridge, top_memory, top_memory_width
from recurra.models.translator_forcing import own_inputs
from recurra.models.translator_state import Memory, TranslatorState

ATTENTIONS = ("none", "additive", "dot", "general")
BRIDGES = ("linear", "copy")
_REFUSED = ("batch_first", "merge_mode", "num_layers")
_ONCE_A_SEQUENCE = ("variational_dropout", "weight_dropout")


class Translator(nn.Module):
    """Source tokens in, what target tokens cost out; or step by step, the logits of the next target token.

        m_s, end = encoder(e(x_s))                 recurrent layers over the source, in both directions
        start = tanh(W end + b)                    the bridge, for each layer and each memory of the cell
        h_t, state = decoder(e'(y_t-1), state)     recurrent layers over the target, from start
        c_t = attention(h_t, m)                    a weighted mean of m
        a_t = tanh(W [c_t; h_t] + b)               the attentional vector
        logits_t = W a_t + b

    Attention stands behind the recurrence, so that with true tokens as inputs the decoder runs over the whole target at
    once. With ``input_feeding`` the decoder reads [e'(y_t-1); a_t-1] and runs step by step. Without attention,
    ``context_input`` gives it c = tanh(W top + b) at every step, top being the last state of the encoder's top layer,
    and a_t is as above; without that, a_t is h_t, and all that it knows of the source is ``start``.

    Args:
        src_vocab_size: Source tokens.
        tgt_vocab_size: Target tokens.
        cell: Cell class or registered name, of encoder and decoder.
        hidden_size: Units a layer, and a direction of it.
        decoder_hidden_size: The same in the decoder; None means ``hidden_size``.
        encoder_layers: Layers of the encoder.
        decoder_layers: Layers of the decoder.
        bidirectional: Whether the encoder reads from both ends.
        src_embedding_size: Width of the source embedding; None means ``hidden_size``.
        tgt_embedding_size: Width of the target embedding; None means ``hidden_size``.
        attention: "additive" (Bahdanau), "dot" or "general" (Luong), or "none".
        attention_size: Width of the additive attention's network; None means the decoder's width.
        input_feeding: Whether the decoder reads the attentional vector of the step before.
        context_input: Whether a decoder without attention reads one vector of the whole source at every step.
        bridge: "linear", or "copy" for the encoder's last states as they are.
        input_dropout: Probability that a component of an embedded token is dropped.
        dropout: The same for the output of each layer but the last.
        output_dropout: The same for the attentional vector.
        tie_weights: Use the target embedding as the output matrix.
        learn_initial_state: Make the encoder's first state a parameter.
        init: Initialisation of the cells, see ``recurra.Cell``; None leaves it to them.
        engine: Engine of the recurrent layers.
        cell_options: Further options of :class:`recurra.layers.Recurrent` and the cell, for both networks.

    Raises:
        ConfigError: When options do not go together; all such faults at once.
        ChoiceError: When ``attention`` or ``bridge`` is unknown.
        ArgumentError: When an option is none that both networks can have.

    Source: Luong, Pham and Manning 2015, arXiv 1508.04025; Bahdanau, Cho and Bengio 2015, arXiv 1409.0473 (bridge,
    additive score); Cho et al. 2014, arXiv 1406.1078 (``context_input``); Sutskever, Vinyals and Le 2014, arXiv
    1409.3215 (``bridge="copy"``). Differs: Bahdanau's attention asks with the state before a step, this with the one
    after it.
    """

    def __init__(
        self,
        src_vocab_size: int,
        tgt_vocab_size: int,
        *,
        cell: str | type[nn.Module] = "lstm",
        hidden_size: int = 256,
        decoder_hidden_size: int | None = None,
        encoder_layers: int = 1,
        decoder_layers: int = 1,
        bidirectional: bool = True,
        src_embedding_size: int | None = None,
        tgt_embedding_size: int | None = None,
        attention: Literal["none", "additive", "dot", "general"] = "additive",
        attention_size: int | None = None,
        input_feeding: bool = False,
        context_input: bool = False,
        bridge: Literal["linear", "copy"] = "linear",
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        output_dropout: float = 0.0,
        tie_weights: bool = False,
        learn_initial_state: bool = False,
        init: str | None = None,
        engine: str = "auto",
        **cell_options: Any,
    ) -> None:
        super().__init__()
        _check_choices(attention, bridge, cell_options)
        _check_together(attention, input_feeding, context_input, cell_options)
        shared = {"engine": engine, **({} if init is None else {"init": init}), **cell_options}
        check_size("Translator", "hidden_size", hidden_size)
        src_width, tgt_width = src_embedding_size or hidden_size, tgt_embedding_size or hidden_size
        self.tgt_vocab_size = tgt_vocab_size
        self.input_feeding = input_feeding
        self.src_embedding = nn.Embedding(src_vocab_size, src_width)
        self.tgt_embedding = nn.Embedding(tgt_vocab_size, tgt_width)
        self.input_dropout = nn.Dropout(input_dropout)
        self.encoder = Recurrent(
            cell,
            src_width,
            hidden_size,
            encoder_layers,
            bidirectional=bidirectional,
            dropout=dropout if encoder_layers > 1 else 0.0,
            learn_initial_state=learn_initial_state,
            **shared,
        )
        width = decoder_hidden_size or hidden_size
        has_vector = attention != "none" or context_input
        vector_width = tgt_width if tie_weights else width
        self.decoder = Recurrent(
            cell,
            tgt_width + (vector_width if input_feeding else 0) + (width if context_input else 0),
            width,
            decoder_layers,
            dropout=dropout if decoder_layers > 1 else 0.0,
            **shared,
        )
        self.bridge = (Bridge if bridge == "linear" else CopyBridge)(self.encoder, self.decoder)
        output_width = self.decoder.output_size
        self.attention = _build_attention(attention, output_width, self.encoder.output_size, attention_size)
        self.to_context = nn.Linear(top_memory_width(self.encoder), width) if context_input else None
        context_width = width if self.attention is None else self.encoder.output_size
        self.combine = nn.Linear(context_width + output_width, vector_width) if has_vector else None
        self.output_dropout = nn.Dropout(output_dropout)
        self.output_layer = FullSoftmax(vector_width if has_vector else output_width, tgt_vocab_size)
        if tie_weights:
            self._tie_weights()
        self.reset_embeddings()

    def _tie_weights(self) -> None:
        if self.output_layer.in_features != self.tgt_embedding.embedding_dim:
            raise ConfigError(
                f"tie_weights without attention expected tgt_embedding_size to be the width of the decoder's output "
                f"({self.output_layer.in_features}), got {self.tgt_embedding.embedding_dim}"
            )
        self.output_layer.weight = self.tgt_embedding.weight

    def reset_embeddings(self) -> None:
        """Draw embeddings and output weights anew; all other weights stay."""
        for matrix in (self.src_embedding.weight, self.tgt_embedding.weight):
            # unit-norm rows in expectation: as output weights too, they start with logits of order one
            nn.init.normal_(matrix, std=matrix.shape[1] ** -0.5)
        if self.output_layer.weight is not self.tgt_embedding.weight:
            nn.init.normal_(self.output_layer.weight, std=self.output_layer.in_features**-0.5)
        nn.init.zeros_(self.output_layer.bias)

    def forward(
        self,
        src: Tensor,
        src_lengths: Tensor,
        inputs: Tensor,
        targets: Tensor,
        tgt_lengths: Tensor,
        forced: Tensor | None = None,
        *,
        with_smoothing_cost: bool = False,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return what each target token costs in nats, zero behind the lengths.

        Args:
            src: Source tokens. Shape (S, B), int64.
            src_lengths: Tokens of each source, 0 to S. Shape (B,), integers.
            inputs: What the decoder reads: the begin token, then the targets but the last. Shape (T, B), int64.
            targets: The target tokens, the end token last, or ``IGNORE_INDEX``. Shape (T, B), int64.
            tgt_lengths: Targets of each row, 0 to T. Shape (B,), integers.
            forced: Where the decoder reads the token of ``inputs``; elsewhere it reads the one that it holds for
                likeliest after the step before, chosen without dropout in the decoder. The first row of tokens is
                always read. None is everywhere. Shape (T, B), bool.
            with_smoothing_cost: Whether to return the cost of label smoothing, too.

        Returns:
            Shape (T, B). With ``with_smoothing_cost`` a second one of that shape: by how much more each target costs
            when it is spread over all tokens; see :func:`recurra.models.label_smoothing.smoothing_cost`.

        Raises:
            ShapeError: When shapes or types do not fit, or a length lies outside its range.
        """
        targets = self._check(src, inputs, targets, tgt_lengths, forced)
        state = self.encode(src, src_lengths)
        if forced is not None and forced[1:].all():
            forced = None
        if forced is not None:
            inputs = own_inputs(self, inputs, forced, state)
        if self.input_feeding:
            vectors = self._run_by_steps(inputs, state)
        else:
            output, _ = self.decoder(self._decoder_input(inputs, state), state.recurrent)  # (T, B, H)
            vectors, _ = self._attend(output, state.memory)
        dropped = self.output_dropout(vectors)  # (T, B, W)
        nll = nll_where_counted(self.output_layer, dropped, targets)
        if not with_smoothing_cost:
            return nll
        return nll, smoothing_cost(self.output_layer, dropped, targets)

    def encode(self, src: Tensor, src_lengths: Tensor) -> TranslatorState:
        """Return the state before the first target token: of one row a sentence.

        Args:
            src: Source tokens. Shape (S, B), int64.
            src_lengths: Tokens of each source, 0 to S. Shape (B,), integers.
        """
        lengths = check_lengths("Translator", src_lengths, *src.shape).to(src.device)
        output, last = self.encoder(self.input_dropout(self.src_embedding(src)), lengths=lengths)  # (S, B, M)
        context = None
        if self.to_context is not None:
            context = torch.tanh(self.to_context(top_memory(self.encoder, last)))  # (B, C)
        if self.attention is None:
            memory = Memory(None, None, lengths, context)
        else:
            memory = Memory(output, self.attention.keys(output), lengths, context)
        fed = output.new_zeros(src.shape[1], self.output_layer.in_features) if self.input_feeding else None
        return TranslatorState(memory, self.bridge(last, self.decoder), fed, self.decoder.is_stacked)

    def step(self, tokens: Tensor, state: TranslatorState) -> tuple[Tensor, TranslatorState, Tensor | None]:
        """Read one target token a row.

        Args:
            tokens: The tokens read, of N = K * B rows, see :class:`TranslatorState`. Shape (N,), int64.
            state: The state before them.

        Returns:
            Logits of the next token (N, V), the state after these, and the weights of attention (N, S), None without.
        """
        vectors, state, weights = self.advance(tokens, state)
        return self.output_layer.logits(self.output_dropout(vectors)), state, weights

    def advance(self, tokens: Tensor, state: TranslatorState) -> tuple[Tensor, TranslatorState, Tensor | None]:
        """As :meth:`step`, with the attentional vectors (N, W) in place of the logits."""
        input = self._decoder_input(tokens.unsqueeze(0), state)  # (1, N, I)
        output, recurrent = self.decoder(input, state.recurrent)
        # the hypotheses of a sentence are further queries of its memory: (K, B, H)
        queries = output.view(-1, state.num_sentences, output.shape[-1])
        vectors, weights = self._attend(queries, state.memory)
        vectors = vectors.reshape(len(tokens), -1)  # (N, W)
        after = dataclasses.replace(state, recurrent=recurrent, fed=vectors if self.input_feeding else None)
        return vectors, after, None if weights is None else weights.reshape(len(tokens), -1)

    def select(self, state: TranslatorState, rows: Tensor, sentences: Tensor | None = None) -> TranslatorState:
        """Return the state of some rows, see :meth:`TranslatorState.select`."""
        return state.select(rows, sentences)

    def _decoder_input(self, tokens: Tensor, state: TranslatorState) -> Tensor:
        """Return what the decoder reads for tokens (T, N), (T, N, I)."""
        parts = [self.input_dropout(self.tgt_embedding(tokens))]
        if state.fed is not None:
            parts.append(state.fed.unsqueeze(0))
        if state.memory.context is not None:
            repeats = tokens.shape[1] // state.num_sentences
            parts.append(state.memory.context.repeat(repeats, 1).expand(len(tokens), -1, -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, -1)

    def _attend(self, output: Tensor, memory: Memory) -> tuple[Tensor, Tensor | None]:
        """Return the attentional vectors (T, B, W) and weights (T, B, S) for outputs of the decoder (T, B, H)."""
        if self.combine is None:
            return output, None
        weights = None
        if memory.context is not None:
            context = memory.context.expand(len(output), -1, -1)
        else:
            assert self.attention is not None, "vectors are combined without anything to combine"
            context, weights = self.attention(output, memory.output, memory.lengths, keys=memory.keys)
        return torch.tanh(self.combine(torch.cat([context, output], -1))), weights

    def _run_by_steps(self, inputs: Tensor, state: TranslatorState) -> Tensor:
        """Return the attentional vectors (T, B, W), each fed to the next step."""
        outputs: list[Tensor] = []
        for tokens in inputs:
            vectors, state, _ = self.advance(tokens, state)
            outputs.append(vectors)
        return torch.stack(outputs)

    @torch.no_grad()
    def likeliest(self, vectors: Tensor) -> Tensor:
        """Return the likeliest tokens (N,) after attentional vectors (N, W), without dropout."""
        return self.output_layer.logits(vectors).argmax(-1)

    def _check(
        self, src: Tensor, inputs: Tensor, targets: Tensor, tgt_lengths: Tensor, forced: Tensor | None
    ) -> Tensor:
        """Return the targets with ``IGNORE_INDEX`` behind the lengths."""
        if inputs.dim() != 2 or not len(inputs) or inputs.shape[1] != src.shape[-1]:
            raise ShapeError(
                f"Translator expected inputs of shape (time, batch={src.shape[-1]}), got {tuple(inputs.shape)}"
            )
        if targets.shape != inputs.shape:
            raise ShapeError(
                f"Translator expected targets of the shape of inputs {tuple(inputs.shape)}, got {tuple(targets.shape)}"
            )
        if forced is not None and (forced.dtype != torch.bool or forced.shape != inputs.shape):
            raise ShapeError(
                f"Translator expected forced to be bool of the shape of inputs {tuple(inputs.shape)}, "
                f"got {forced.dtype} {tuple(forced.shape)}"
            )
        lengths = check_lengths("Translator", tgt_lengths, *inputs.shape).to(targets.device)
        return targets.masked_fill(torch.arange(len(targets), device=targets.device)[:, None] >= lengths, IGNORE_INDEX)


def _build_attention(
    kind: str, query_size: int, memory_size: int, attention_size: int | None
) -> AdditiveAttention | DotAttention | None:
    if kind == "none":
        return None
    if kind == "additive":
        return AdditiveAttention(query_size, memory_size, attention_size)
    return DotAttention(query_size, memory_size, projection=kind == "general")


def _check_choices(attention: str, bridge: str, cell_options: dict[str, Any]) -> None:
    if attention not in ATTENTIONS:
        raise ChoiceError("attention of Translator", attention, ATTENTIONS)
    if bridge not in BRIDGES:
        raise ChoiceError("bridge of Translator", bridge, BRIDGES)
    for name in _REFUSED:
        if name in cell_options:
            raise ArgumentError(
                f"Translator expected no {name}, as its networks differ in it or have it set, "
                f"got {name}={cell_options[name]!r}"
            )


def _check_together(attention: str, input_feeding: bool, context_input: bool, options: dict[str, Any]) -> None:
    faults = []
    if context_input and attention != "none":
        faults.append(f"context_input expected attention = 'none', got {attention!r}")
    if input_feeding and attention == "none" and not context_input:
        faults.append("input_feeding expected attention or context_input, which make the vector that is fed, got none")
    if input_feeding:
        # the decoder runs one step a call there, and would draw such a mask at every step
        drawn = [name for name in _ONCE_A_SEQUENCE if options.get(name)]
        drawn += [name for name in ("dropout_mask", "recurrent_dropout_mask") if options.get(name) == "sequence"]
        faults += [f"input_feeding expected no masks that are drawn once a sequence, got {name}" for name in drawn]
    if faults:
        raise ConfigError(faults)
