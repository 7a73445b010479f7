"""Layers: cells stacked, in both directions, over batches of sequences."""

from __future__ import annotations

from recurra.layers.attention import AdditiveAttention, DotAttention
from recurra.layers.conversion import convert_weights, export_weights, load_weights
from recurra.layers.crf import LinearChainCRF
from recurra.layers.dropout import RecurrentDropout, VariationalDropout
from recurra.layers.gru import GRU
from recurra.layers.lstm import LSTM
from recurra.layers.modifiers import Modifiers
from recurra.layers.pooling import POOLINGS, AttentionPooling, last_step, max_steps, mean_steps, valid_steps
from recurra.layers.recurrent import Recurrent
from recurra.layers.rnn import RNN
from recurra.layers.skipping import SkipThroughTime
from recurra.layers.tag_constraints import TagConstraints, bio_constraints
from recurra.layers.viterbi import viterbi
from recurra.layers.weights import orthogonal, weight_dropout, weight_norm
from recurra.layers.wrapping import CellWrapper
from recurra.layers.zoneout import Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "POOLINGS",
    "RNN",
    "AdditiveAttention",
    "AttentionPooling",
    "CellWrapper",
    "DotAttention",
    "LinearChainCRF",
    "Modifiers",
    "Recurrent",
    "RecurrentDropout",
    "SkipThroughTime",
    "TagConstraints",
    "VariationalDropout",
    "Zoneout",
    "bio_constraints",
    "convert_weights",
    "export_weights",
    "last_step",
    "load_weights",
    "max_steps",
    "mean_steps",
    "orthogonal",
    "valid_steps",
    "viterbi",
    "weight_dropout",
    "weight_norm",
]
