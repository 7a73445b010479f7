"""JAX's scan of an LSTM, where JAX is installed."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from support.loops.layers import KINDS, build_pair, sizes
from support.loops.report import Options, Report
from support.loops.work import MOST_DIFFERENCE, Size, Training
from support.turns import take_turns


def measure_jax(report: Report, options: Options) -> None:
    """LSTM, forward and backward with the gradient of the input."""
    if find_spec("jax") is None:
        print("JAX is not installed; its scan is not measured")
        return
    print(f"{'T, B, I, H':<22}   ours ms   JAX ms   JAX / ours")
    for size in sizes(options):
        _measure_size(report, options, size)


def _measure_size(report: Report, options: Options, size: Size) -> None:
    ours, theirs = build_pair(KINDS["lstm"], size, options)
    x = torch.randn(size.T, size.B, size.I)
    work = Training(lambda x: ours(x)[0], x, ours.parameters())
    scan = jax_training(theirs, x, work.gradient)
    output, d_x = (torch.tensor(values.__array__()) for values in scan())
    gaps = [float((a - b).abs().max() / b.abs().max()) for a, b in zip((output, d_x), work.results(), strict=True)]
    if not max(gaps) <= MOST_DIFFERENCE:
        report.problem(f"results at {size} differ from JAX's by {max(gaps):.1e} of their largest number")
    turns = take_turns({"ours": work, "JAX": scan}, options.rounds, most_s=20.0)
    mine, other, ratio = turns.median_s("ours"), turns.median_s("JAX"), turns.ratio("JAX", "ours")
    report.row(
        f"{size!s:<22} {mine * 1e3:9.2f} {other * 1e3:8.2f} {ratio:12.2f}",
        size=size,
        ours_s=mine,
        theirs_s=other,
        ratio=ratio,
    )


def jax_training(layer: nn.Module, x: Tensor, gradient: Tensor) -> Callable[[], tuple[Any, Any]]:
    """Return a function that runs JAX's forward and backward pass; the input's products are taken out of its loop."""
    jax, jnp = import_module("jax"), import_module("jax.numpy")

    weights = tuple(jnp.asarray(p.detach().numpy()) for p in layer.parameters())
    arrays = jnp.asarray(x.numpy()), jnp.asarray(gradient.numpy())
    size = layer.hidden_size

    def forward(weights: Any, x: Any) -> Any:
        w_ih, w_hh, b_ih, b_hh = weights

        def step(carry: Any, from_x: Any) -> Any:
            h, c = carry
            i, f, g, o = jnp.split(from_x + h @ w_hh.T, 4, axis=-1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        zeros = jnp.zeros((x.shape[1], size), x.dtype)
        return jax.lax.scan(step, (zeros, zeros), x @ w_ih.T + b_ih + b_hh)[1]

    def both(weights: Any, x: Any, gradient: Any) -> Any:
        output, pull = jax.vjp(forward, weights, x)
        return output, *pull(gradient)

    compiled = jax.jit(both)

    def run() -> tuple[Any, Any]:
        output, _, d_x = jax.block_until_ready(compiled(weights, *arrays))
        return output, d_x

    return run
