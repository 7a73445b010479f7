"""Where each node of a step runs: with the weights, before the loop, inside it, or after it; forward and backward.

Rows are what the sections here compute. Whatever is batch-free is left to torch: once a call where it depends on
weights alone, once after the loop where it sums over the batch.

A forward value that the backward sections need is taken from what lies in memory anyway (inputs, states, what was
computed before the loop), or recomputed from it if that costs no product, or else saved by the forward loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from recurra.loop.graph import PRODUCTS, REDUCTIONS, VIEWS, Graph, Node, ancestors

HEAVY = frozenset(["exp", "expm1", "log", "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "pow"])
"""Pointwise operations that cost as much as reading and writing memory several times."""
_STORED = PRODUCTS | REDUCTIONS | {"cumsum"}


@dataclass
class Section:
    """Rows computed by one native function.

    Attributes:
        name: For people.
        inputs: Row values that lie in memory, and the slot of each.
        targets: The slots to fill, and the value of each.
    """

    name: str
    inputs: dict[Node, str] = field(default_factory=dict)
    targets: dict[str, Node] = field(default_factory=dict)


@dataclass
class Fission:
    """A step cut into sections, each of which may be empty.

    Attributes:
        graph: What was cut.
        before: Over all steps at once; what does not depend on the state.
        forward: Step by step.
        after: Over all steps at once; what no later step needs.
        d_before: Over all steps at once; incoming gradients, before they meet the carried one.
        backward: Step by step, from the last to the first.
        d_after: Over all steps at once.
        draws: Random values, one call of torch for all steps.
        kept: Slots filled by the forward sections that the backward ones read.
        sequences: Row values that torch sums over the batch, and the slot of each.
        sums: The batch-free gradients.
    """

    graph: Graph
    before: Section
    forward: Section
    after: Section
    d_before: Section
    backward: Section
    d_after: Section
    draws: list[Node]
    kept: frozenset[str]
    sequences: dict[Node, str]
    sums: list[Node]

    def forward_sections(self) -> list[Section]:
        """Return the sections of the forward pass in their order."""
        return [self.before, self.forward, self.after]

    def backward_sections(self) -> list[Section]:
        """Return the sections of the backward pass in their order."""
        return [self.d_before, self.backward, self.d_after]


def width(node: Node) -> int:
    """Return how many numbers a row of the node has."""
    return math.prod(node.row_shape)


def slot_of(node: Node) -> str:
    """Return the name of the slot in which a section leaves a value for others."""
    return f"value:{node.name}"


def split(graph: Graph) -> Fission:
    """Cut a step into sections."""
    return _Splitter(graph).run()


def _descendants(graph: Graph, roots: Iterable[Node]) -> set[Node]:
    found = set(roots)
    for node in graph.nodes:
        if any(operand in found for operand in node.operands()):
            found.add(node)
    return found


def strip_views(node: Node) -> Node:
    """Return what ``node`` is a view of."""
    while node.op in VIEWS:
        node = node.operands()[0]
    return node


def _remembered(method: Callable[[_Splitter, Node], bool]) -> Callable[[_Splitter, Node], bool]:
    """Keep a method's answers in the splitter, for as long as it lives."""

    def remembering(self: _Splitter, node: Node) -> bool:
        key = (method.__name__, node)
        if key not in self.answers:
            self.answers[key] = method(self, node)
        return self.answers[key]

    return remembering


class _Splitter:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = {node: place for place, node in enumerate(graph.nodes)}
        forward_roots = [graph.output, *graph.new_state]
        self.is_forward = ancestors(forward_roots)
        self.on_state = _descendants(graph, graph.state)
        self.for_carry = ancestors(graph.new_state)
        self.on_gradient = _descendants(graph, graph.d_new_state)
        self.for_gradient = ancestors(node for node in graph.d_state if node is not None)
        self.before, self.forward, self.after = (Section(name) for name in ("before", "forward", "after"))
        self.d_before, self.backward, self.d_after = (
            Section(name) for name in ("gradient before", "backward", "gradient after")
        )
        self.answers: dict[tuple[str, Node], bool] = {}
        self.gradient_sections = (self.d_before, self.backward, self.d_after)
        # row values in memory once the forward pass is over
        self.available: dict[Node, str] = {node: f"x:{k}" for k, node in enumerate(graph.x)}
        self.available |= {node: slot_of(node) for node in graph.nodes if node.op == "draw"}
        self.available |= {node: f"state:{k}" for k, node in enumerate(graph.state)}

    def run(self) -> Fission:
        graph = self.graph
        self._split_forward()
        sequences: dict[Node, str] = {}
        if graph.d_output is not None:
            self._split_backward(sequences)
        self._give_inputs()
        read = {slot for section in self.gradient_sections for slot in section.inputs.values()}
        return Fission(
            graph,
            *(self.before, self.forward, self.after),
            *self.gradient_sections,
            draws=[node for node in graph.nodes if node.op == "draw"],
            kept=frozenset((read | set(sequences.values())) & set(self.available.values())),
            sequences=sequences,
            sums=list(graph.d_weights.values()),
        )

    # --- forward

    def _split_forward(self) -> None:
        graph = self.graph
        seen: set[Node] = set()
        for k, node in enumerate(graph.new_state):
            self.forward.targets[f"new:{k}"] = node
            self._demand_forward(node, seen)
        for k, node in enumerate(graph.new_state):
            if node not in self.available and node.op != "full":
                self.available[node] = f"new:{k}"
        if graph.output in graph.new_state:
            return
        section = self.after if self._is_after(graph.output) else self.forward
        section.targets["output"] = graph.output
        if section is self.forward:
            self._demand_forward(graph.output, seen)
        else:
            self._demand_after(graph.output, set())

    def _demand_forward(self, node: Node, seen: set[Node]) -> None:
        """See to it that the loop can compute ``node``: what it takes from before the loop is computed there."""
        if node in seen or not node.is_row:
            return
        seen.add(node)
        if node not in self.on_state:
            self._demand_before(node)
            return
        for operand in node.operands():
            self._demand_forward(operand, seen)

    def _demand_before(self, node: Node) -> None:
        if node in self.available or not self._is_costly(node):
            return
        if node.op in VIEWS:
            self._demand_before(node.operands()[0])
            return
        self.available[node] = slot_of(node)
        self.before.targets[slot_of(node)] = node

    def _demand_after(self, node: Node, seen: set[Node]) -> None:
        if node in seen or not node.is_row or node in self.available:
            return
        seen.add(node)
        if node not in self.on_state:
            self._demand_before(node)
        elif node in self.for_carry:
            self._save(node)
        else:
            for operand in node.operands():
                self._demand_after(operand, seen)

    def _save(self, node: Node) -> None:
        """Have the forward pass leave ``node`` in memory."""
        section = self.forward if node in self.on_state else self.before
        section.targets[slot_of(node)] = node
        self.available[node] = slot_of(node)
        if section is self.forward:
            self._demand_forward(node, set())

    def _is_costly(self, node: Node) -> bool:
        """Whether computing ``node`` from inputs takes more than cheap pointwise operations."""
        costly = _STORED | HEAVY | {"cat"}
        return self._any_below(node, lambda n: n.op in costly and n not in self.available)

    @_remembered
    def _is_after(self, node: Node) -> bool:
        """Whether a value that only the output needs has a product below it that no later step needs."""
        if not node.is_row or node in self.for_carry or node not in self.on_state:
            return False
        return node.op in PRODUCTS or any(self._is_after(operand) for operand in node.operands())

    def _any_below(self, node: Node, test: Callable[[Node], bool]) -> bool:
        seen: set[Node] = set()
        waiting = [node]
        while waiting:
            node = waiting.pop()
            if node in seen or not node.is_row:
                continue
            if test(node):
                return True
            if node in self.available:
                continue
            seen.add(node)
            waiting.extend(node.operands())
        return False

    # --- backward

    def _split_backward(self, sequences: dict[Node, str]) -> None:
        graph = self.graph
        d_output = graph.d_output
        assert d_output is not None
        self.gradients: dict[Node, str] = {d_output: "d_output"}
        self.carried = {node: f"d_new:{k}" for k, node in enumerate(graph.d_new_state)}
        self.wanted: dict[Node, None] = {}
        for k, node in enumerate(graph.d_state):
            zero = Node("full", (0.0,), graph.state[k].shape, graph.state[k].dtype, f"zero_{k}")
            self.backward.targets[f"d_state:{k}"] = node or zero
            self._demand_gradient(node or zero, 1, set())
        for k, node in enumerate(graph.d_x):
            if node is not None:
                self._target(f"d_x:{k}", node)
        batch = [node for node in graph.nodes if not node.is_row and node not in self.is_forward]
        reached = ancestors(graph.d_weights.values())
        for node in batch:
            for operand in node.operands() if node in reached else []:
                if operand.is_row:
                    self._want_sequence(strip_views(operand), sequences)
        self._save_for_backward()
        for node in sequences:
            if node in self.available:
                sequences[node] = self.available[node]

    def _place(self, node: Node) -> int:
        """Return the section of a gradient: 0 before the loop, 1 inside it, 2 after it."""
        if node in self.for_gradient:
            return 0 if node not in self.on_gradient and self._has_product(node) else 1
        if node in self.carried:
            return 1
        return 2 if self._has_later_product(node) else 1

    @_remembered
    def _has_product(self, node: Node) -> bool:
        if not node.is_row or node in self.is_forward:
            return False
        return node.op in PRODUCTS or any(self._has_product(operand) for operand in node.operands())

    @_remembered
    def _has_later_product(self, node: Node) -> bool:
        if not node.is_row or node in self.is_forward or node in self.for_gradient:
            return False
        return node.op in PRODUCTS or any(self._has_later_product(operand) for operand in node.operands())

    def _target(self, slot: str, node: Node) -> None:
        place = 1 if node in self.is_forward or node.op == "full" else self._place(node)
        self.gradient_sections[place].targets[slot] = node
        self._demand_gradient(node, place, set())

    def _demand_gradient(self, node: Node, place: int, seen: set[Node]) -> None:
        if node in seen or not node.is_row or node.op == "full" or node in self.gradients:
            return
        seen.add(node)
        if node in self.carried and place == 1:
            return
        if node in self.is_forward:
            self.wanted[node] = None
            return
        own = self._place(node)
        if own < place:
            # an earlier section leaves it in memory
            self.gradients[node] = slot_of(node)
            self.gradient_sections[own].targets[slot_of(node)] = node
            if node not in self.carried:
                self._demand_gradient_operands(node, own)
            return
        self._demand_gradient_operands(node, place, seen)

    def _demand_gradient_operands(self, node: Node, place: int, seen: set[Node] | None = None) -> None:
        seen = set() if seen is None else seen
        for operand in node.operands():
            self._demand_gradient(operand, place, seen)

    def _want_sequence(self, node: Node, sequences: dict[Node, str]) -> None:
        """See to it that ``node`` lies in memory for all steps when torch sums over them."""
        if node in sequences or node.op == "full":
            return
        if node.op == "cat" and all(strip_views(piece) in self.available for piece in node.args[0]):
            # its pieces lie in memory: torch puts them together
            for piece in node.args[0]:
                self._want_sequence(strip_views(piece), sequences)
            return
        known = self.available | self.gradients
        sequences[node] = known.get(node, slot_of(node))
        if node not in known:
            self._target(slot_of(node), node)
            if node not in self.is_forward:
                self.gradients[node] = slot_of(node)

    def _save_for_backward(self) -> None:
        self.computed_before = set(self.before.targets.values())
        for node in sorted(self.wanted, key=self.order.__getitem__):
            for needed in sorted(self._missing(node, {}), key=self.order.__getitem__):
                self._save(needed)
        # a value that was saved need not be computed again
        for slot in [slot for slot, node in self.backward.targets.items() if self.available.get(node) == slot]:
            del self.backward.targets[slot]

    def _missing(self, node: Node, memo: dict[Node, frozenset[Node]]) -> frozenset[Node]:
        """Return what must be saved so that ``node`` can be had without a product."""
        if node not in memo:
            memo[node] = self._find_missing(node, memo)
        return memo[node]

    def _find_missing(self, node: Node, memo: dict[Node, frozenset[Node]]) -> frozenset[Node]:
        if not node.is_row or node in self.available or node.op == "full":
            return frozenset()
        if node.op in _STORED:
            return frozenset([node])
        below = frozenset().union(*(self._missing(operand, memo) for operand in node.operands()))
        if not below:
            # recomputing it would keep what was computed before the loop, which is as large, for this alone
            is_free = node.op not in HEAVY or not self._any_below(node, self.computed_before.__contains__)
            return below if is_free else frozenset([node])
        if node.op in HEAVY or width(node) <= sum(width(n) for n in below):
            return frozenset([node])
        return below

    # --- what each section reads

    def _give_inputs(self) -> None:
        for section in (self.before, self.forward, self.after):
            section.inputs = _reads(section, self._earlier(section, self.available))
        if self.graph.d_output is None:
            return
        for section in self.gradient_sections:
            known = self.available | self.gradients | (self.carried if section is self.backward else {})
            section.inputs = _reads(section, self._earlier(section, known))

    def _earlier(self, section: Section, known: dict[Node, str]) -> dict[Node, str]:
        """Return what lies in memory when ``section`` runs: not what it fills itself, nor a later one."""
        order = (self.before, self.forward, self.after, *self.gradient_sections)
        later = {slot for other in order[order.index(section) :] for slot in other.targets}
        return {node: slot for node, slot in known.items() if slot not in later}


def _reads(section: Section, known: dict[Node, str]) -> dict[Node, str]:
    """Return what a section reads of what lies in memory."""
    found: dict[Node, str] = {}
    seen: set[Node] = set()
    waiting = list(section.targets.values())
    while waiting:
        node = waiting.pop()
        if node in seen or not node.is_row:
            continue
        seen.add(node)
        if node in known:
            found[node] = known[node]
        else:
            waiting.extend(node.operands())
    return found
