"""From a recording to equations: which tensors are lines, under what names, and what each line says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from recurra.errors import UnsupportedCellError
from recurra.inspection.contract import RETURNS, further_arguments
from recurra.inspection.equations import terms as t
from recurra.inspection.equations.expanding import with_args
from recurra.inspection.equations.functions import FUNCTIONS
from recurra.inspection.equations.naming import free_name, weight_symbols
from recurra.inspection.equations.recording import Recording
from recurra.inspection.equations.step import Step
from recurra.inspection.equations.terms import Line, Shape, Symbol, Term
from recurra.inspection.equations.weight_blocks import as_matrix, block_shape, in_blocks, is_whole, whole
from recurra.loop.checks import describe
from recurra.loop.probing import as_tuple, split_result, state_names

_SMALL = 2
"""Operations up to which a term without a name of its own is written out wherever it is needed."""


def assemble(
    cell: torch.nn.Module,
    recording: Recording,
    inputs: tuple[Tensor, ...],
    state: tuple[Tensor, ...],
    given: Mapping[str, Tensor],
    state_form: type,
) -> Step:
    """Return the equations of a recorded step.

    Args:
        cell: The cell that was recorded.
        recording: What it computed.
        inputs: The inputs it was given.
        state: The states it was given.
        given: Its parameters and buffers, by path.
        state_form: The type in which it was given its states.
    """
    return _Assembler(cell, recording, inputs, state, given).step(state_form)


class _Assembler:
    def __init__(
        self,
        cell: torch.nn.Module,
        recording: Recording,
        inputs: tuple[Tensor, ...],
        state: tuple[Tensor, ...],
        given: Mapping[str, Tensor],
    ) -> None:
        self.cell, self.recording, self.given = cell, recording, given
        self.nodes = recording.nodes
        self.num_inputs, self.num_states = len(inputs), len(state)
        output, new_state = _read_result(cell, recording.result)
        self.output = self._root_of(output)
        self.leaving_nodes = [self._root_of(tensor) for tensor in as_tuple(new_state)]
        self.spelled = self._spellings()
        self.symbols: dict[int, Symbol] = {}
        self.expanded: dict[int, Term] = {}
        self.sizes: dict[int, int] = {}
        self.cuttable: dict[int, bool] = {}
        self.constants: dict[Symbol, np.ndarray] = {}

    def step(self, state_form: type) -> Step:
        needed = self._needed([self.output, *self.leaving_nodes])
        inputs, entering = self._name_given()
        named = self._lines_of(needed)
        leaving, output = self._name_results(entering)
        self._name_weights(needed)
        self._name_values([number for number in named if number not in self.symbols], {*inputs, *entering, *leaving})
        lines = [self._line(number) for number in sorted({*named, *self._results_to_write()})]
        lines += self._repeated(leaving, output)
        lines, weights = in_blocks(self.cell, lines, self.given)
        used = {symbol for line in lines for symbol in line.term.symbols()}
        shapes = {**self._shapes(), **{line.target: line.term.shape for line in lines}}
        shapes |= {symbol: block_shape(block) for symbol, block in weights.items()}
        return Step(
            self.recording.who, tuple(lines), inputs, entering, leaving, output,
            {symbol: shape for symbol, shape in shapes.items() if not is_whole(symbol)},
            weights,
            {symbol: value for symbol, value in self.constants.items() if symbol in used},
            state_form,
            further_arguments(self.cell),
        )  # fmt: skip

    # what there is

    def _root_of(self, tensor: Tensor) -> int:
        value = self.recording.find(tensor)
        if value is None or value.term.op != "node":
            raise UnsupportedCellError(
                f"{self.recording.who} was expected to return tensors that torch's functions computed, got one of "
                f"shape {tuple(tensor.shape)} from elsewhere",
                hint="what a script or a kernel of its own computes has no equations",
            )
        return self._root(value.term.value)

    def _root(self, number: int) -> int:
        """Return the node whose tensor this one only passes on."""
        term = self.nodes[number].term
        return number if term.op != "node" or term.value == number else self._root(term.value)

    def _is_leaf(self, number: int) -> bool:
        return self.nodes[number].term.op == "node"

    def _args(self, number: int) -> list[int]:
        if self._is_leaf(number):
            return []
        return [self._root(term.value) for term in self.nodes[number].term.walk() if term.op == "node"]

    def _needed(self, roots: list[int]) -> set[int]:
        found: set[int] = set()
        waiting = list(roots)
        while waiting:
            number = waiting.pop()
            if number not in found:
                found.add(number)
                waiting.extend(self._args(number))
        return found

    def _spellings(self) -> dict[int, dict[str, list[str]]]:
        """Return the names of each node, by where they were given: in forward, in what it calls, as part of a tuple."""
        found: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        assert self.recording.watcher is not None
        for binding in self.recording.watcher.bindings:
            value = self.recording.find(binding.tensor)
            if value is None or value.term.op != "node":
                continue
            where = "part" if binding.is_part else "forward" if binding.is_in_forward else "helper"
            found[self._root(value.term.value)][where].append(binding.name)
        return found

    # names

    def _name_given(self) -> tuple[tuple[Symbol, ...], tuple[Symbol, ...]]:
        """Name inputs as forward does, and states too but for words such as prev; or else as the class says."""
        states = list(state_names(self.cell, self.num_states))
        inputs = list(input_names(self.cell, self.num_inputs))
        own = [self.spelled[number]["forward"][:1] for number in range(self.num_inputs + self.num_states)]
        given, kept = own[: self.num_inputs], own[self.num_inputs :]
        named = [self._untimed(names[0]) if names else other for names, other in zip(given, inputs, strict=True)]
        stems = [_stem(names[0]) if names else other for names, other in zip(kept, states, strict=True)]
        if len({*named, *stems}) < len(named) + len(stems) or not all(stems):
            stems = states
        taken: set[str] = set()
        symbols = []
        for place, name in enumerate([*named, *stems]):
            is_input = place < self.num_inputs
            spelled = free_name(name, taken)
            taken.add(spelled)
            symbols.append(Symbol(spelled, 0 if is_input else -1, kind="input" if is_input else "state"))
        self.symbols.update(enumerate(symbols))
        return tuple(symbols[: self.num_inputs]), tuple(symbols[self.num_inputs :])

    def _untimed(self, name: str) -> str:
        """Return a name without a final _t, as equations write the time themselves, unless there is the shorter one."""
        short = name.removesuffix("_t")
        others = {other for spelled in self.spelled.values() for names in spelled.values() for other in names}
        return name if not short or short in others else short

    def _name_results(self, entering: tuple[Symbol, ...]) -> tuple[tuple[Symbol, ...], Symbol]:
        leaving = tuple(Symbol(symbol.name, 0, kind="state") for symbol in entering)
        for number, symbol in zip(self.leaving_nodes, leaving, strict=True):
            if not self._is_leaf(number):
                self.symbols.setdefault(number, symbol)
        if not getattr(self.cell, "returns_output", False):
            return leaving, leaving[0]
        own = self.spelled[self.output]["forward"]
        name = own[-1] if own and own[-1] not in {symbol.name for symbol in (*entering, *leaving)} else "y"
        output = Symbol(name, 0)
        if self._is_leaf(self.output):
            return leaving, output
        return leaving, self.symbols.setdefault(self.output, output)

    def _results_to_write(self) -> list[int]:
        return [n for n in (self.output, *self.leaving_nodes) if not self._is_leaf(n)]

    def _repeated(self, leaving: tuple[Symbol, ...], output: Symbol) -> Iterator[Line]:
        """Say what a state or an output is that is the same as something else."""
        for number, symbol in [*zip(self.leaving_nodes, leaving, strict=True), (self.output, output)]:
            known = self.symbols[number]
            if known != symbol:
                yield Line(symbol, t.name(known, self.nodes[number].value.term.shape))

    def _name_weights(self, needed: set[int]) -> None:
        known = {block.path: symbol for symbol, block in weight_symbols(self.cell).items()}
        for number in sorted(needed):
            if not self._is_leaf(number) or number in self.symbols:
                continue
            tensor = self.nodes[number].value.tensor
            path = next((path for path, one in self.given.items() if one is tensor), None)
            if isinstance(tensor, torch.nn.Parameter) and path is not None:
                self.symbols[number] = Symbol(whole(path), kind="weight")
                continue
            spelled = self.spelled[number]
            names = [known[path].name] if path is not None else spelled["forward"] or spelled["helper"] or ["K"]
            taken = {symbol.name for symbol in self.symbols.values()}
            symbol = Symbol(free_name(names[-1], taken), kind="constant")
            self.symbols[number] = symbol
            self.constants[symbol] = as_matrix(tensor, self.nodes[number].value.row_axis)

    def _lines_of(self, needed: set[int]) -> list[int]:
        """Return the nodes that get a line of their own, in the order in which they were computed."""
        uses: dict[int, int] = defaultdict(int)
        for number in needed:
            term = self.nodes[number].term
            if term.op != "cut" or not self._can_be_cut(number):  # a part is moved inside
                for used in self._args(number):
                    uses[used] += 1
        return [
            number
            for number in sorted(needed)
            if not self._is_leaf(number)
            and not self._is_block(number)
            and (self.spelled[number]["forward"] or self._needs_name(number, uses[number]))
        ]

    def _is_block(self, number: int) -> bool:
        """Say whether a node is but rows of a weight, which has a name as such."""
        term = self.nodes[number].term
        while term.op == "cut":
            term = term.args[0]
        number = self._root(term.value) if term.op == "node" else number
        return self._is_leaf(number) and self.nodes[number].value.row_axis is None

    def _needs_name(self, number: int, num_uses: int) -> bool:
        has_name = bool(self.spelled[number]["helper"])
        return num_uses > 1 and self._size(number) > (_SMALL - has_name)

    def _can_be_cut(self, number: int) -> bool:
        if number not in self.cuttable:
            self.cuttable[number] = self._is_cuttable(number)
        return self.cuttable[number]

    def _is_cuttable(self, number: int) -> bool:
        """Say whether a node's numbers are computed one by one, as far as it has no name, or by products."""
        term = self.nodes[number].term
        if self._is_leaf(number):
            return True
        inner = [part for part in term.walk() if part.op == "function" and not FUNCTIONS[part.value].is_elementwise]
        if inner or term.op == "matmul":
            return not inner
        return all(self.spelled[arg]["forward"] or self._can_be_cut(arg) for arg in self._args(number))

    def _size(self, number: int) -> int:
        if number not in self.sizes:
            self.sizes[number] = self._counted(number)
        return self.sizes[number]

    def _counted(self, number: int) -> int:
        """Count the operations of a node, up to those that have names."""
        if self._is_leaf(number):
            return 0
        own = sum(term.op not in ("node", "number", "zeros", "ones", "neg") for term in self.nodes[number].term.walk())
        inner = (0 if self.spelled[arg]["forward"] else self._size(arg) for arg in set(self._args(number)))
        return own + sum(inner)

    def _name_values(self, numbers: list[int], taken: set[Symbol]) -> None:
        groups: dict[str, list[int]] = defaultdict(list)
        for number in numbers:
            spelled = self.spelled[number]
            own = (spelled["forward"] or spelled["helper"] or spelled["part"] or ["u"])[-1]
            groups[own if self.nodes[number].value.row_axis is None else self._untimed(own)].append(number)
        of_step = {symbol.name for symbol in taken}
        weights = {symbol.name for symbol in weight_symbols(self.cell)}
        weights |= {symbol.name for symbol in self.symbols.values()} - of_step
        for base, group in groups.items():
            name = free_name(base, weights)
            is_single = len(group) == 1 and name not in of_step
            for version, number in enumerate(group, 1):
                time = None if self.nodes[number].value.row_axis is None else 0
                self.symbols[number] = Symbol(name, time, 0 if is_single else version)

    # lines

    def _line(self, number: int) -> Line:
        return Line(self.symbols[number], self._body(number), self.nodes[number].place)

    def _body(self, number: int) -> Term:
        if number not in self.expanded:
            self.expanded[number] = self._expand(self.nodes[number].term)
        return self.expanded[number]

    def _expand(self, term: Term) -> Term:
        if term.op == "node":
            number = self._root(term.value)
            if number in self.symbols:
                return t.name(self.symbols[number], self.nodes[number].value.term.shape)
            return self._body(number)
        return with_args(term, tuple(map(self._expand, term.args)))

    def _shapes(self) -> dict[Symbol, Shape]:
        return {symbol: self.nodes[number].value.term.shape for number, symbol in self.symbols.items()}


def _read_result(cell: torch.nn.Module, result: Any) -> tuple[Tensor, Any]:
    """Return the output and the states of what a step returned, if it is of the form that a cell returns."""
    output, state = split_result(cell, result) if isinstance(result, Tensor | tuple | list) else (result, result)
    if not isinstance(output, Tensor) or not all(isinstance(tensor, Tensor) for tensor in as_tuple(state)):
        raise UnsupportedCellError(
            f"{type(cell).__name__} was expected to return its new state, got {describe(result)}", hint=RETURNS
        )
    return output, state


_WORDS = re.compile(r"^(prev|previous|old|last)_?(?=\w)|(?<=\w)_?(prev|previous|old|last|tm1|t_1|0|(?<=_)t)$")
_SHORT = {"hx": "h", "cx": "c"}


def _stem(name: str) -> str:
    """Return a state's name without what says that it is the old one: h for h_prev and for torch's hx."""
    return _SHORT.get(name, _WORDS.sub("", name))


def input_names(cell: torch.nn.Module, count: int) -> tuple[str, ...]:
    """Return names for the inputs of a step: those that the class declares, x, or else numbered ones.

    Args:
        cell: The cell.
        count: How many inputs a step is given.
    """
    declared = getattr(cell, "inputs", ("x",))
    if isinstance(declared, tuple) and len(declared) >= count and all(isinstance(name, str) for name in declared):
        return declared[:count]
    return ("x",) if count == 1 else tuple(f"x{k}" for k in range(1, count + 1))
