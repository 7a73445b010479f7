"""Layers: cells stacked, in both directions, over batches of sequences."""

from __future__ import annotations

from recurra.layers.conversion import convert_weights, export_weights, load_weights
from recurra.layers.dropout import RecurrentDropout, VariationalDropout
from recurra.layers.gru import GRU
from recurra.layers.lstm import LSTM
from recurra.layers.modifiers import Modifiers
from recurra.layers.recurrent import Recurrent
from recurra.layers.rnn import RNN
from recurra.layers.skipping import SkipThroughTime
from recurra.layers.weights import orthogonal, weight_dropout, weight_norm
from recurra.layers.wrapping import CellWrapper
from recurra.layers.zoneout import Zoneout

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "CellWrapper",
    "Modifiers",
    "Recurrent",
    "RecurrentDropout",
    "SkipThroughTime",
    "VariationalDropout",
    "Zoneout",
    "convert_weights",
    "export_weights",
    "load_weights",
    "orthogonal",
    "weight_dropout",
    "weight_norm",
]
