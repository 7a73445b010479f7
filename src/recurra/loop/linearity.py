"""Whether an operation on sums over the batch may be done once, on the sum over all steps.

torch's own derivatives are linear in the incoming gradient. What a hook or a torch.autograd.Function does need not be.
"""

from __future__ import annotations

from typing import Any

from recurra.loop.graph import Node, nodes_in, words

_OF_FIRST = frozenset(
    words(
        "neg sum div view view_copy reshape permute permute_copy t t_copy transpose transpose_copy expand expand_copy",
        "slice slice_copy select select_copy squeeze squeeze_copy unsqueeze unsqueeze_copy clone alias alias_copy",
        "detach detach_copy _to_copy tril triu diagonal diagonal_copy flip roll cumsum split split_copy",
    )
)
"""Linear in the first operand, which alone may depend on gradients."""
_OF_ALL = frozenset(words("add sub cat stack slice_scatter select_scatter copy"))
"""Linear in all operands together."""
_OF_ONE = frozenset(words("mul mm bmm"))
"""Linear in each operand, of which one may depend on gradients."""


def is_linear(name: str, args: Any, reduced: set[Node]) -> bool:
    """Return whether a batch-free operation is linear in those of its operands that are among ``reduced``."""
    operands = list(nodes_in(args))
    dependent = [node for node in operands if node in reduced]
    if not dependent:
        return True
    others = [node for node in operands if node not in reduced]
    numbers = any(isinstance(arg, float | int) for arg in args)
    if name in _OF_FIRST or name.endswith("_backward"):
        return dependent == operands[:1]
    if name in _OF_ALL:
        is_sum = name in ("add", "sub")
        return not (is_sum and numbers) and all(node.op == "full" and node.args[0] == 0 for node in others)
    if name == "where":
        return operands[0] not in reduced and not any(arg for arg in args[1:] if not isinstance(arg, Node))
    return name in _OF_ONE and len(dependent) == 1
