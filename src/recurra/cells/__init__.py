"""Cells: one step of a recurrence each, as equations.

A cell is one file and one class; lists, checks and layers follow from the class.
"""

from __future__ import annotations

from recurra.cells.antisymmetric import AntisymmetricCell, GatedAntisymmetricCell
from recurra.cells.causal_window import causal_window
from recurra.cells.cell import Cell, State
from recurra.cells.clockwork import ClockworkCell
from recurra.cells.cornn import CoRNNCell
from recurra.cells.elman import ElmanCell, ElmanReLUCell
from recurra.cells.fast_rnn import FastGRNNCell, FastRNNCell
from recurra.cells.full_peephole_lstm import FullPeepholeLSTMCell
from recurra.cells.gates import Init, init_names
from recurra.cells.greff_lstm import (
    FullGateRecurrenceLSTMCell,
    LinearCandidateLSTMCell,
    LinearOutputLSTMCell,
    NoPeepholeLSTMCell,
    PeepholeLSTMCell,
)
from recurra.cells.greff_lstm_fewer_gates import (
    CoupledGatesLSTMCell,
    NoForgetGateLSTMCell,
    NoInputGateLSTMCell,
    NoOutputGateLSTMCell,
)
from recurra.cells.gru import GRUCell
from recurra.cells.gru_reset_before import GRUResetBeforeCell
from recurra.cells.indrnn import IndRNNCell, IndRNNTanhCell
from recurra.cells.intersection_rnn import IntersectionRNNCell
from recurra.cells.irnn import IRNNCell
from recurra.cells.jordan import JordanCell
from recurra.cells.jozefowicz_lstm import (
    ForgetBiasLSTMCell,
    LSTMWithoutForgetGateCell,
    LSTMWithoutInputGateCell,
    LSTMWithoutOutputGateCell,
)
from recurra.cells.layer_norm_gru import LayerNormGRUCell
from recurra.cells.layer_norm_lstm import LayerNormLSTMCell
from recurra.cells.layer_norm_rnn import LayerNormRNNCell
from recurra.cells.leaky import LeakyCell, LearnedLeakyCell
from recurra.cells.lem import LEMCell
from recurra.cells.lru import LRUCell
from recurra.cells.lstm import LSTMCell
from recurra.cells.mgu import MGUCell, MGUResetAfterCell
from recurra.cells.min_gru import MinGRUCell, MinLSTMCell
from recurra.cells.minimal_rnn import MinimalRNNCell
from recurra.cells.multiplicative_lstm import MultiplicativeLSTMCell, OutputInsideMultiplicativeLSTMCell
from recurra.cells.mut import MUT1Cell, MUT2Cell, MUT3Cell
from recurra.cells.nas import NASCell
from recurra.cells.on_lstm import ONLSTMCell
from recurra.cells.phased_lstm import GatedPhasedLSTMCell, PhasedLSTMCell
from recurra.cells.projected_lstm import ProjectedLSTMCell
from recurra.cells.qrnn import QRNNCell, QRNNForgetPoolingCell, QRNNInputPoolingCell
from recurra.cells.references import Reference, find_reference
from recurra.cells.registry import cell_aliases, cell_names, find_cell, register
from recurra.cells.rhn import RHNCell
from recurra.cells.scrn import SCRNCell
from recurra.cells.sequence_call import SequenceCall
from recurra.cells.slstm import SLSTMCell
from recurra.cells.sru import SRUCell, SRUV1Cell
from recurra.cells.ugrnn import UGRNNCell
from recurra.cells.unitary import UnitaryCell

__all__ = [
    "AntisymmetricCell",
    "Cell",
    "ClockworkCell",
    "CoRNNCell",
    "CoupledGatesLSTMCell",
    "ElmanCell",
    "ElmanReLUCell",
    "FastGRNNCell",
    "FastRNNCell",
    "ForgetBiasLSTMCell",
    "FullGateRecurrenceLSTMCell",
    "FullPeepholeLSTMCell",
    "GRUCell",
    "GRUResetBeforeCell",
    "GatedAntisymmetricCell",
    "GatedPhasedLSTMCell",
    "IRNNCell",
    "IndRNNCell",
    "IndRNNTanhCell",
    "Init",
    "IntersectionRNNCell",
    "JordanCell",
    "LEMCell",
    "LRUCell",
    "LSTMCell",
    "LSTMWithoutForgetGateCell",
    "LSTMWithoutInputGateCell",
    "LSTMWithoutOutputGateCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "LayerNormRNNCell",
    "LeakyCell",
    "LearnedLeakyCell",
    "LinearCandidateLSTMCell",
    "LinearOutputLSTMCell",
    "MGUCell",
    "MGUResetAfterCell",
    "MUT1Cell",
    "MUT2Cell",
    "MUT3Cell",
    "MinGRUCell",
    "MinLSTMCell",
    "MinimalRNNCell",
    "MultiplicativeLSTMCell",
    "NASCell",
    "NoForgetGateLSTMCell",
    "NoInputGateLSTMCell",
    "NoOutputGateLSTMCell",
    "NoPeepholeLSTMCell",
    "ONLSTMCell",
    "OutputInsideMultiplicativeLSTMCell",
    "PeepholeLSTMCell",
    "PhasedLSTMCell",
    "ProjectedLSTMCell",
    "QRNNCell",
    "QRNNForgetPoolingCell",
    "QRNNInputPoolingCell",
    "RHNCell",
    "Reference",
    "SCRNCell",
    "SLSTMCell",
    "SRUCell",
    "SRUV1Cell",
    "SequenceCall",
    "State",
    "UGRNNCell",
    "UnitaryCell",
    "causal_window",
    "cell_aliases",
    "cell_names",
    "find_cell",
    "find_reference",
    "init_names",
    "register",
]
