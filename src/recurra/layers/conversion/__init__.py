"""Weights of RNN, LSTM and GRU, between the layouts of torch, Keras, Flax and ONNX.

| Format | One layer | Two directions | Several layers |
|---|---|---|---|
| "torch" | state dict ``weight_ih_l0``, ... | and ``weight_ih_l0_reverse``, ... | ``_l1``, ... |
| "torch-cell" | state dict ``weight_ih``, ... of one cell | | |
| "recurra" | state dict ``cell_l0.weight_ih``, ... | as "torch" | as "torch" |
| "keras" | [kernel, recurrent_kernel, bias] | the backward layer's three follow | a list of such lists |
| "flax" | tree of the cell, flax.linen | ``forward_rnn``, ``backward_rnn`` | a list of trees |
| "flax-nnx" | tree of the cell, flax.nnx | as "flax" | as "flax" |
| "flax-nnx-optimized" | the same of OptimizedLSTMCell | as "flax" | as "flax" |
| "onnx" | {"W", "R", "B"} | their first axis | a list of dicts |

Of a library's formats each is read by the name of any; the name says which is written. Biases are left out where there
are none. Arrays are NumPy's, JAX's or torch's, of float16, float32 or float64, all of one type. A nnx ``State`` is a
tree too.
"""

from __future__ import annotations

from recurra.layers.conversion.converting import convert_weights
from recurra.layers.conversion.modules import export_weights, load_weights

__all__ = ["convert_weights", "export_weights", "load_weights"]
