"""A traced step against the cell itself: values and all gradients."""

from __future__ import annotations

from contextlib import nullcontext

import torch

from recurra.loop.fingerprint import tensors_of
from recurra.loop.graph import Graph
from recurra.loop.interpret import draw, evaluate
from recurra.loop.trace import trace_step


def trace(cell, x, state, **options) -> Graph:
    """Trace with all gradients, unless ``options`` say otherwise."""
    inputs = x if isinstance(x, tuple) else (x,)
    states = (state,) if isinstance(state, torch.Tensor) else state
    options = {
        "wanted": frozenset(path for path, tensor in tensors_of(cell).items() if tensor.requires_grad),
        "wants_x": tuple(tensor.is_floating_point() for tensor in inputs),
        "wants_state": True,
        "derivative": True,
        **options,
    }
    return trace_step(cell, inputs, isinstance(x, tuple), states, isinstance(state, torch.Tensor), **options)


def check_step(cell, x, state, *, same_draws=nullcontext, rtol=1e-9, atol=1e-11) -> Graph:
    """Trace a step and compare it with eager, and its derivative with autograd.

    Args:
        cell: The cell.
        x: A tensor or a tuple of tensors.
        state: Likewise.
        same_draws: Given the draws of the graph, a context in which eager draws the same.
        rtol: Relative tolerance.
        atol: Absolute tolerance.

    Returns:
        The graph.
    """
    graph = trace(cell, x, state)
    inputs = [t.clone().requires_grad_(t.is_floating_point()) for t in (x if isinstance(x, tuple) else (x,))]
    states = [t.clone().requires_grad_() for t in ((state,) if isinstance(state, torch.Tensor) else state)]
    batch_size = states[0].shape[0]
    draws = {node: draw(node, batch_size) for node in graph.nodes if node.op == "draw"}
    with same_draws(list(draws.values())) if draws else nullcontext():
        result = cell(
            tuple(inputs) if isinstance(x, tuple) else inputs[0],
            states[0] if len(states) == 1 and isinstance(state, torch.Tensor) else tuple(states),
        )
    output, new = result if getattr(cell, "returns_output", False) else (None, result)
    new = [new] if isinstance(new, torch.Tensor) else list(new)
    results = [new[0] if output is None else output, *new]
    gradients = [torch.randn_like(r) for r in results]

    weights = tensors_of(cell)
    wanted = {path: tensor for path, tensor in weights.items() if tensor.requires_grad}
    leaves = [*wanted.values(), *(t for t in inputs if t.requires_grad), *states]
    outputs, incoming = zip(*((r, g) for r, g in zip(results, gradients, strict=True) if r.requires_grad), strict=True)
    expected = torch.autograd.grad(outputs, leaves, incoming, allow_unused=True)

    nodes = [*(graph.d_weights.get(path) for path in wanted)]
    nodes += [node for node, t in zip(graph.d_x, inputs, strict=True) if t.requires_grad] + graph.d_state
    values = {graph.weights[path]: tensor.detach() for path, tensor in weights.items()}
    values |= dict(zip([*graph.x, *graph.state], [t.detach() for t in (*inputs, *states)], strict=True))
    values |= dict(zip([graph.d_output, *graph.d_new_state], gradients, strict=True)) | draws
    computed = evaluate([graph.output, *graph.new_state, *filter(None, nodes)], values, batch_size)

    assert all(g is None or not g.any() for node, g in zip(nodes, expected, strict=True) if node is None)
    compared = [g for node, g in zip(nodes, expected, strict=True) if node is not None]
    for got, wanted_value in zip(computed, [*results, *compared], strict=True):
        wanted_value = torch.zeros_like(got) if wanted_value is None else wanted_value.detach()
        torch.testing.assert_close(got, wanted_value, rtol=rtol, atol=atol, equal_nan=True)
    return graph
