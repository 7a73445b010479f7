"""What the trace takes apart: torch's own rules where they end in plain operations, and a few written here.

torch's rules for means, variances and normalisations end in operations that only its own compiler knows.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._decomp import get_decompositions, global_decomposition_table

from recurra.loop.graph import words

Decomposition = Callable[..., Any]

_BY_TORCH = words(
    "addcdiv addcmul addmv addr aminmax baddbmm celu clamp_max clamp_min cumprod deg2rad detach diag_embed",
    "diagonal_backward dot elu elu_backward expand_as floor_divide frac gelu gelu_backward glu glu_backward",
    "hardshrink hardsigmoid hardswish hardswish_backward hardtanh hardtanh_backward huber_loss isneginf isposinf",
    "l1_loss leaky_relu leaky_relu_backward lerp linalg_vector_norm log_sigmoid_backward log_sigmoid_forward",
    "logaddexp logaddexp2 logit logit_backward logsumexp masked_fill mish mish_backward mse_loss mv nan_to_num",
    "narrow native_batch_norm native_batch_norm_backward",
    "native_dropout_backward native_group_norm native_group_norm_backward native_layer_norm_backward",
    "_fused_rms_norm _fused_rms_norm_backward norm _prelu_kernel _prelu_kernel_backward rad2deg relu6",
    "_reshape_alias rsub _safe_softmax select_backward selu sgn sigmoid_backward silu silu_backward sinc",
    "slice_backward smooth_l1_loss _softmax _log_softmax _softmax_backward_data _log_softmax_backward_data softplus",
    "softplus_backward softshrink special_xlog1py square std std_mean t tanh_backward threshold threshold_backward",
    "tril triu _unsafe_view vdot _weight_norm_interface xlogy",
)


def _count(x: Tensor, axes: list[int]) -> int:
    return math.prod(x.shape[a] for a in axes)


def _axes(x: Tensor, dim: Any) -> list[int]:
    if isinstance(dim, int):
        return [dim]
    return list(dim) if dim else list(range(x.dim()))


def _mean(x: Tensor, dim: Any = None, keepdim: bool = False, *, dtype: torch.dtype | None = None) -> Tensor:
    axes = _axes(x, dim)
    return torch.sum(x, axes, keepdim, dtype=dtype) / _count(x, axes)


def _var_mean(
    x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    axes = _axes(x, dim)
    mean = torch.sum(x, axes, True) / _count(x, axes)
    centred = x - mean
    # torch.var gives nan for too few values, as a division of zero by zero does
    count = max(_count(x, axes) - (1 if correction is None else correction), 0)
    variance = torch.sum(centred * centred, axes, keepdim) / float(count)
    return variance, mean if keepdim else mean.reshape(variance.shape)


def _var(x: Tensor, dim: Any = None, *, correction: float | None = None, keepdim: bool = False) -> Tensor:
    return _var_mean(x, dim, correction=correction, keepdim=keepdim)[0]


def _native_layer_norm(
    x: Tensor, normalized_shape: list[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    axes = list(range(x.dim() - len(normalized_shape), x.dim()))
    variance, mean = _var_mean(x, axes, correction=0, keepdim=True)
    rstd = torch.rsqrt(variance + eps)
    y = (x - mean) * rstd
    y = y if weight is None else y * weight
    return (y if bias is None else y + bias), mean, rstd


def _hardsigmoid_backward(gradient: Tensor, x: Tensor) -> Tensor:
    # torch's kernel multiplies by a sixth in single precision, whatever the type of x
    inside = (x > -3.0) & (x < 3.0)
    return torch.where(inside, gradient * _SINGLE_SIXTH, 0.0)


_SINGLE_SIXTH = float(np.float32(1.0) / np.float32(6.0))


def _own() -> dict[Any, Decomposition]:
    aten = torch.ops.aten
    return {
        aten.mean.default: _mean,
        aten.mean.dim: _mean,
        aten.var.correction: _var,
        aten.var_mean.correction: _var_mean,
        aten.hardsigmoid_backward.default: _hardsigmoid_backward,
        aten.native_layer_norm.default: _native_layer_norm,
    }


@functools.cache
def decomposition_table() -> dict[Any, Decomposition]:
    """Return the rules by operation."""
    packets = [getattr(torch.ops.aten, name) for name in _BY_TORCH if hasattr(torch.ops.aten, name)]
    known = _registered(packets)
    return {**get_decompositions(known), **_own()}


def _registered(packets: list[Any]) -> list[Any]:
    registered = global_decomposition_table["post_autograd"]
    return [
        overload
        for packet in packets
        for overload in (getattr(packet, name) for name in packet.overloads())
        if overload in registered
    ]
