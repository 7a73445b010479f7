"""What weights are called in equations: W_xi for the block of ``weight_ih`` that makes the gate i of x."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import torch

from recurra.cells import Cell
from recurra.inspection.equations.step import WeightBlock
from recurra.inspection.equations.terms import Kind, Symbol

_ENDS = ("weight", "bias")


def weight_symbols(cell: torch.nn.Module) -> dict[Symbol, WeightBlock]:
    """Name every parameter of a cell, and every buffer: Recurra's own gate by gate, others as a whole.

    Returns:
        What each symbol stands for, in the order of the parameters.
    """
    found: dict[Symbol, WeightBlock] = {}
    for path, tensor, is_parameter in _tensors(cell):
        blocks = (
            row_blocks(cell, path, tensor) if is_parameter else [(whole_name(path, tensor.dim()), (0, _rows(tensor)))]
        )
        for spelled, rows in blocks:
            kind: Kind = "weight" if is_parameter else "constant"
            taken = {symbol.name for symbol in found}
            name = spelled if spelled not in taken else path
            found[Symbol(name, kind=kind)] = WeightBlock(path, tuple(tensor.shape), rows, is_parameter)
    return found


def _tensors(cell: torch.nn.Module) -> Iterable[tuple[str, torch.Tensor, bool]]:
    yield from ((path, tensor, True) for path, tensor in cell.named_parameters())
    yield from ((path, tensor, False) for path, tensor in cell.named_buffers())


def _rows(tensor: torch.Tensor) -> int:
    return tensor.shape[0] if tensor.dim() else 1


_OF_MATRIX = re.compile(r"([WUV])_?(\w+)")


def row_blocks(cell: torch.nn.Module, path: str, tensor: torch.Tensor) -> list[tuple[str, tuple[int, int]]]:
    """Return the names of a parameter's row blocks, with their rows.

    Args:
        cell: The cell.
        path: The parameter's path in it.
        tensor: The parameter.
    """
    whole = [(whole_name(path, tensor.dim()), (0, _rows(tensor)))]
    if not isinstance(cell, Cell) or path not in cell.weight_shapes() or not _is_known(path):
        return whole
    gates = cell.row_names(path)
    sizes = [cell.gate_size(gate) for gate in gates] if len(gates) > 1 else [_rows(tensor)]
    if sum(sizes) != _rows(tensor):
        return whole
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    names = [_of_gate(cell, path, gate, tensor.dim()) for gate in gates]
    return [(name, (start, start + size)) for name, start, size in zip(names, starts, sizes, strict=True)]


def _is_known(path: str) -> bool:
    return path.startswith(("weight_", "bias_"))


def _of_gate(cell: Cell, path: str, gate: str, num_dims: int) -> str:
    letter = "W" if num_dims == 2 else "w"
    kind, _, rest = path.partition("_")
    if gate == path:  # one block, named for itself
        return f"{letter if kind == 'weight' else 'b'}_{rest}"
    if kind == "bias" and rest not in ("ih", "hh") and len(cell.row_names(path)) == 1:
        return f"b_{rest}"
    if kind == "bias":
        has_two = {"bias_ih", "bias_hh"} <= set(cell.weight_shapes())
        return f"b_{'x' if rest == 'ih' else 'h'}{gate}" if has_two else f"b_{gate}"
    source = {"ih": "x", "hh": "h"}.get(rest, rest[:1])
    return f"{letter}_{source}{gate}"


def whole_name(path: str, num_dims: int) -> str:
    """Name a parameter by its path: ``ih.weight`` is W_ih, ``bias_hh`` b_hh, anything else its path.

    What a parametrised weight of ``ih`` is made of is V_ih.
    """
    letters = {"weight": "W" if num_dims == 2 else "w", "bias": "b"}
    parts = path.split(".")
    if "parametrizations" in parts[:-2]:
        # module.parametrizations.weight.original1: what the module's weight is made of
        place = parts.index("parametrizations")
        letter = ("V" if num_dims == 2 else "v") + parts[-1].removeprefix("original")
        return "_".join([letter, *parts[:place]]) if parts[-1].startswith("original") else path
    last = parts[-1]
    named = _OF_MATRIX.fullmatch(parts[0]) if len(parts) == 2 and last in letters else None
    if named is not None:
        # self.W_f = Linear(...) holds W_f and b_f
        return f"{named[1] if last == 'weight' else 'b'}_{named[2]}"
    for kind, letter in letters.items():
        if last == kind:
            return f"{letter}_{'.'.join(parts[:-1])}" if len(parts) > 1 else letter
        if last.startswith(f"{kind}_"):
            return ".".join([*parts[:-1], f"{letter}_{last.removeprefix(kind + '_')}"])
    return path


def block_names(name: str, hints: list[str | None]) -> list[str]:
    """Name the equal row blocks of a parameter by what they make, or else by numbers.

    Args:
        name: The parameter's name.
        hints: What each block makes; ``None`` where that is not clear.
    """
    counts = Counter(hints)
    is_clear = all(hint is not None and counts[hint] == 1 for hint in hints)
    return [f"{name}_{hint if is_clear else number}" for number, hint in enumerate(hints, 1)]


def free_name(name: str, taken: set[str]) -> str:
    """Return a name that is not taken yet, with primes if need be."""
    while name in taken:
        name += "′"
    return name
