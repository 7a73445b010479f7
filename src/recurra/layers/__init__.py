"""Layers: cells stacked, in both directions, over batches of sequences."""

from __future__ import annotations

from recurra.layers.gru import GRU
from recurra.layers.lstm import LSTM
from recurra.layers.recurrent import Recurrent
from recurra.layers.rnn import RNN

__all__ = ["GRU", "LSTM", "RNN", "Recurrent"]
