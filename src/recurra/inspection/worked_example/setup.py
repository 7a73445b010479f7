"""The numbers that a worked example starts from: weights and first states that a person can follow."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from recurra.inspection.equations.private_copy import private_copy
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Symbol, Term
from recurra.inspection.equations.weight_blocks import block_of

DECIMALS = 2
"""To which parameters are rounded."""
SEED = 0
"""With which an output layer is drawn."""


def prepare_cell(cell: torch.nn.Module, step: Step, init: float | None) -> torch.nn.Module:
    """Return a copy of a cell in float64 whose parameters are one number each, or its own, rounded.

    Args:
        cell: It stays as it is.
        step: Its equations, which tell which biases are added to each other.
        init: What every parameter is, but the second bias of a gate, which is 0. ``None`` rounds the parameters that
            there are to two decimals, or more where all entries of one are below 0.1.

    Returns:
        The copy; all its parameters have gradients, frozen ones too.
    """
    prepared = private_copy(cell)
    with torch.no_grad():
        for parameter in filter(torch.is_floating_point, prepared.parameters()):
            if init is not None:
                parameter.fill_(init)
            else:
                parameter.copy_(torch.round(parameter, decimals=_decimals(parameter)))
        if init is not None:
            for bias in second_biases(step):
                block = step.weights[bias]
                block_of(prepared.get_parameter(block.path), block).zero_()
    return prepared


def _decimals(parameter: Tensor) -> int:
    largest = parameter.abs().max().item() if parameter.numel() else 0.0
    return DECIMALS if largest == 0 else max(DECIMALS, 1 - math.floor(math.log10(largest)))


def second_biases(step: Step) -> tuple[Symbol, ...]:
    """Return the biases that are added to what already has one, in the order of the equations.

    They are looked for in what functions are taken of, and in what the states and the output are made of.
    """
    terms = {line.target: line.term for line in step.lines}
    first: dict[Symbol, None] = {}
    later: dict[Symbol, None] = {}
    for biases in _gates(step, terms):
        first.update(dict.fromkeys(biases[:1]))
        later.update(dict.fromkeys(biases[1:]))
    return tuple(bias for bias in later if bias not in first)


def _gates(step: Step, terms: Mapping[Symbol, Term]) -> Iterator[list[Symbol]]:
    """Yield the biases of each sum that is complete: of which a function is taken, or a state or the output made."""
    for line in step.lines:
        for term in line.term.walk():
            if term.op == "function":
                for arg in term.args:
                    yield list(_Biases(step, terms).of(arg))
    waiting: list[Term] = [terms[symbol] for symbol in (*step.leaving, step.output) if symbol in terms]
    done: set[Symbol] = set()
    while waiting:
        found = _Biases(step, terms, is_one_factor=True)
        yield list(found.of(waiting.pop()))
        # what f ⊙ (W x + b) and (1 − f) ⊙ (W h + c) multiply are two gates
        waiting.extend(factor for factor in found.factors if factor.op == "add" or factor.value not in done)
        done.update(factor.value for factor in found.factors if factor.op == "name")


class _Biases:
    """Finds the biases among the summands of a term, through names and, unless those are to be kept, through factors.

    Attributes:
        factors: The factors that were kept.
    """

    def __init__(self, step: Step, terms: Mapping[Symbol, Term], *, is_one_factor: bool = False) -> None:
        self.step, self.terms, self.is_one_factor = step, terms, is_one_factor
        self.factors: list[Term] = []
        self.seen: set[Symbol] = set()

    def of(self, term: Term) -> Iterator[Symbol]:
        """Yield them, each once."""
        if term.op == "name":
            yield from self._behind(term.value)
        elif term.op == "mul" and self.is_one_factor:
            self.factors.extend(part for part in term.args if part.op in ("name", "add"))
        elif term.op in ("add", "mul", "neg"):
            for part in term.args:
                if part.op != "name" or part.value not in self.step.weights:
                    yield from self.of(part)
                elif term.op == "add" and self._is_bias(part) and part.value not in self.seen:
                    self.seen.add(part.value)
                    yield part.value

    def _behind(self, symbol: Symbol) -> Iterator[Symbol]:
        if symbol in self.terms and symbol not in self.seen:
            self.seen.add(symbol)
            yield from self.of(self.terms[symbol])

    def _is_bias(self, part: Term) -> bool:
        return part.shape[1] == 1 and self.step.weights[part.value].is_parameter
