"""What the tests against other libraries share: cells in float64 with weights in place, and all they return."""

from __future__ import annotations

import torch

from recurra.cells import find_cell

TIME, BATCH, INPUT, HIDDEN = 7, 3, 3, 5
D = torch.float64


def build_ours(name, weights, input_size=INPUT, **options):
    """Build a cell of the package whose parameters are exactly ``weights``, by name."""
    cell = find_cell(name)(input_size, HIDDEN, dtype=D, **options)
    cell.load_state_dict(weights, strict=True)
    return cell


def drawn_weights(module):
    """Draw all parameters of a module anew, and return them and its buffers by name."""
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim():  # a single number is an option
                torch.nn.init.normal_(parameter, std=0.6)
    return {key: value.detach() for key, value in [*module.named_parameters(), *module.named_buffers()]}


def rows(tensor, count, order):
    """Return some of the ``count`` equal row blocks of a tensor, in the order given."""
    blocks = tensor.chunk(count)
    return torch.cat([blocks[k] for k in order])


def draw(*widths, input_size=INPUT):
    """Draw an input (T, B, I) and one state (B, width) for each width, a tensor if it is one."""
    x = torch.randn(TIME, BATCH, input_size, dtype=D)
    state = tuple(torch.randn(BATCH, width, dtype=D) / 2 for width in widths)
    return x, state if len(widths) > 1 else state[0]


def flat(values):
    """Return tensors in tuples, however deep, as one list."""
    return [values] if isinstance(values, torch.Tensor) else [tensor for part in values for tensor in flat(part)]


@torch.no_grad()
def trace(step, x, state, returns_output=False):
    """Run ``step(x, state)`` over x (T, B, I), and return all that it gives side by side: (T, B, ·)."""
    found = []
    for x_t in x:
        given = step(x_t, state)
        state = given[1] if returns_output else given
        found.append(torch.cat(flat(given), -1))
    return torch.stack(found)


def assert_same(ours, theirs):
    """Check that two traces are one up to the order of sums."""
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
