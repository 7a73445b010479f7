"""From two recordings of a step, at two batch sizes, to one graph of canonical nodes."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from torch import Tensor, fx

from recurra.loop import pointwise_rules, shape_rules
from recurra.loop.builder import Builder
from recurra.loop.graph import Graph, Node, Rows, Size, words
from recurra.loop.interpret import take_item
from recurra.loop.linearity import is_linear
from recurra.loop.rules import Call

BATCH_SIZES = (11, 13)
"""Two primes: a size that is 11k in one recording and 13k in the other is k times the batch."""


@dataclass(frozen=True)
class Recording:
    """What torch traced at one batch size.

    Attributes:
        module: The operations.
        batch_size: The number of rows.
        has_own_gradients: Whether Python code of the cell takes part in the derivative.
    """

    module: fx.GraphModule
    batch_size: int
    has_own_gradients: bool

    @property
    def nodes(self) -> list[fx.Node]:
        """The operations in order."""
        return list(self.module.graph.nodes)


@dataclass(frozen=True)
class Roles:
    """What the inputs and results of a recording are.

    Inputs are the weights, x, the states, and, of a derivative, the gradients of the output and of the new states.
    Results are the output, the new states, and the gradients of ``differentiable``.

    Attributes:
        who: The cell's class.
        weights: Paths.
        num_x: How many inputs a step has.
        num_states: How many states.
        differentiable: Places among weights, x and states.
    """

    who: str
    weights: tuple[str, ...]
    num_x: int
    num_states: int
    differentiable: tuple[int, ...]

    def names(self) -> list[str]:
        """Return the names of the inputs."""
        names = [*self.weights, *(f"x[{k}]" for k in range(self.num_x))]
        names += [f"state[{k}]" for k in range(self.num_states)]
        if self.differentiable:
            names += ["d_output", *(f"d_new_state[{k}]" for k in range(self.num_states))]
        return names


def build_graph(first: Recording, second: Recording, roles: Roles) -> Graph:
    """Translate two recordings of the same step.

    Raises:
        UnsupportedCellError: When they differ in more than the batch size, or an operation has no rule or mixes rows.
    """
    return _Translator(first, second, roles).run()


class _Translator:
    def __init__(self, first: Recording, second: Recording, roles: Roles) -> None:
        self.first, self.second, self.roles = first, second, roles
        holders = [node for node in first.nodes if node.op == "placeholder"]
        state_place = len(roles.weights) + roles.num_x
        self.builder = Builder(roles.who, _value(holders[state_place]).dtype)
        self.values: dict[fx.Node, Any] = {}
        self.lines: dict[fx.Node, str] = {}

    def run(self) -> Graph:
        self._check_pairing()
        self._check_mutations()
        live = _live(self.first.nodes)
        names = iter(self.roles.names())
        for node, twin in zip(self.first.nodes, self.second.nodes, strict=True):
            self.builder.line = self._line(node)
            self.builder.operation = _name(node)
            if node.op == "placeholder":
                self.values[node] = self._input(node, twin, next(names), node in live)
            elif node.op == "get_attr":
                self.values[node] = self._constant(node, twin) if node in live else None
            elif node.op == "call_function" and node in live:
                self.values[node] = self._translate(node, twin)
        return self._graph()

    def _line(self, node: fx.Node) -> str:
        """Return the line of the cell that a node comes from; of a derivative, that of an operand."""
        operands = (self.lines[operand] for operand in reversed(node.all_input_nodes))
        line: str = node.meta.get("stack_trace") or next(filter(None, operands), "")
        self.lines[node] = line
        return line

    # --- the two recordings

    def _check_pairing(self) -> None:
        ours, theirs = self.first.nodes, self.second.nodes
        for node, twin in zip(ours, theirs, strict=False):
            line = self._line(node)
            if (node.op, node.target) != (twin.op, twin.target) and node.op != "get_attr":
                self.lines[node] = line or twin.meta.get("stack_trace") or ""
                self._fail_on(node, "to do the same at every batch size", f"{_name(node)} at some only")
        if len(ours) != len(theirs):
            self._fail_on(ours[-1], "to do the same at every batch size", "more operations at some")
        self.twins = dict(zip(ours, theirs, strict=True))

    def _check_mutations(self) -> None:
        for node in self.first.nodes:
            schema = getattr(node.target, "_schema", None)
            if node.op == "call_function" and schema is not None and schema.is_mutable:
                written = self._origin(node.args[0])
                self._fail_on(node, "to change no tensor in place", f"{_name(node)} into {written}")

    def _origin(self, node: Any) -> str:
        """Name the input that a node stands for."""
        holders = [n for n in self.first.nodes if n.op == "placeholder"]
        names = dict(zip(holders, self.roles.names(), strict=True))
        return names.get(node, "a tensor that is read later")

    def _fail_on(self, node: fx.Node, expected: str, got: str) -> None:
        self.builder.line = self.lines[node]
        self.builder.fail(expected, got)

    def _merge(self, ours: Any, theirs: Any) -> Any:
        """Return an argument of both recordings, tensors as canonical nodes, multiples of the batch size as Rows."""
        if isinstance(ours, fx.Node):
            if self.twins.get(ours) is not theirs:
                self.builder.fail("to do the same at every batch size", f"other operands of {self.builder.operation}")
            return self.values[ours]
        if isinstance(ours, tuple | list) and isinstance(theirs, tuple | list) and len(ours) == len(theirs):
            return [self._merge(a, b) for a, b in zip(ours, theirs, strict=True)]
        if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
            return {name: self._merge(ours[name], theirs[name]) for name in ours}
        return self._merge_constants(ours, theirs)

    def _merge_constants(self, ours: Any, theirs: Any) -> Any:
        if type(ours) is type(theirs) and (ours == theirs or (ours != ours and theirs != theirs)):
            return ours
        size = self._size(ours, theirs) if isinstance(ours, int) and isinstance(theirs, int) else None
        if size is None:
            self._fail_on_numbers(ours, theirs)
        return size

    def _fail_on_numbers(self, ours: Any, theirs: Any) -> NoReturn:
        expected = "to compute with the same numbers at every call and batch size"
        self.builder.fail(expected, f"{ours!r} or {theirs!r} in {self.builder.operation}")

    def _size(self, ours: int, theirs: int) -> Size | None:
        if ours == theirs:
            return ours
        multiple, rest = divmod(ours, self.first.batch_size)
        fits = rest == 0 and theirs == multiple * self.second.batch_size and multiple > 0
        return Rows(multiple) if fits else None

    def _shape(self, ours: Tensor, theirs: Tensor) -> tuple[Size, ...]:
        sizes = [self._size(a, b) for a, b in zip(ours.shape, theirs.shape, strict=False)]
        if len(ours.shape) != len(theirs.shape) or any(size is None for size in sizes):
            self.builder.fail(
                "to use shapes that are the same for every row",
                f"{tuple(ours.shape)} or {tuple(theirs.shape)} from {self.builder.operation}",
            )
        return tuple(size for size in sizes if size is not None)

    # --- nodes

    def _input(self, node: fx.Node, twin: fx.Node, name: str, is_live: bool) -> Node:
        value = _value(node)
        made = self.builder.input(name, self._shape(value, _value(twin)), value.dtype)
        if is_live and made.is_row and value.dtype not in (self.builder.dtype, torch.bool):
            self.builder.operation = name
            self.builder.fail(
                f"to compute in one floating-point type, {self.builder.dtype}", f"{value.dtype} of {name}"
            )
        return made

    def _constant(self, node: fx.Node, twin: fx.Node) -> Node:
        """Return a tensor that the step makes of numbers, as it is made."""
        ours, theirs = _stored(self.first.module, node), _stored(self.second.module, twin)
        if ours is None or theirs is None:
            self._fail_on(node, "to read tensors of its own only", "a tensor from outside it")
        if ours.shape != theirs.shape or not torch.equal(ours, theirs):
            self._fail_on_numbers("a tensor", "another")
        values, dtype = ours.tolist(), ours.dtype
        return self.builder.run_by_torch(torch.tensor, (values,), {"dtype": dtype}, tuple(ours.shape), dtype)

    def _translate(self, node: fx.Node, twin: fx.Node) -> Any:
        args, kwargs = self._merge(node.args, twin.args), self._merge(node.kwargs, twin.kwargs)
        if node.target is operator.getitem:
            return self._item(args[0], args[1])
        results, others = _value(node), _value(twin)
        is_single = isinstance(results, Tensor)
        if not is_single and not isinstance(results, tuple | list):
            self.builder.fail("to compute with tensors", f"{self.builder.operation} as a number")
        shapes = [self._shape(results, others)] if is_single else list(map(self._shape, results, others))
        made_rows = any(isinstance(size, Rows) for shape in shapes for size in shape)
        if not made_rows and not any(operand.is_row for operand in _nodes_in((args, kwargs))):
            return self._batch_free(node, args, kwargs, shapes[0], results)
        dtype = results.dtype if is_single else results[0].dtype
        return self._row_value(node, Call(tuple(args), kwargs, shapes[0] if is_single else (), dtype))

    def _row_value(self, node: fx.Node, call: Call) -> Any:
        builder = self.builder
        rule = RULES.get(_name(node).rsplit(".", 1)[-1])
        if rule is None:
            builder.fail("to use operations that the compiler has a rule for")
        if call.dtype.is_complex or (call.dtype.is_floating_point and call.dtype != builder.dtype):
            builder.fail(f"to compute in one floating-point type, {builder.dtype}", f"{call.dtype} from {_name(node)}")
        made = rule(builder, call)
        assert not isinstance(made, Node) or made.shape == call.shape, (made, call)
        return made

    def _batch_free(self, node: fx.Node, args: Any, kwargs: Any, shape: tuple[Size, ...], results: Any) -> Any:
        builder = self.builder
        if any(isinstance(item, Rows) for item in _items_in((args, kwargs))):
            builder.fail("to use the batch size in shapes only", f"the batch size in {builder.operation}")
        name = builder.operation.rsplit(".", 1)[-1]
        if name in _FACTORIES or name in _VIEWS:
            return RULES[name](builder, Call(tuple(args), kwargs, shape, results.dtype))
        if self.first.has_own_gradients and not is_linear(name, args, builder.reduced):
            # the sum over all steps goes through it once
            builder.fail("to treat the gradients of weights by linear operations", f"{builder.operation} in a hook")
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()):
            builder.fail("to draw random values for each row", f"{builder.operation} without a batch axis")
        if name in _TRANSPARENT and results.dtype == args[0].dtype:
            return args[0]
        if torch.Tag.pointwise not in getattr(node.target, "tags", ()) and name not in _OF_ANY_STRIDES:
            args = self._without_gaps(args)
        if isinstance(results, Tensor):
            return builder.run_by_torch(node.target, args, kwargs, shape, results.dtype)
        whole = builder.run_by_torch(node.target, args, kwargs, (), results[0].dtype)
        return [
            builder.run_by_torch(take_item, (whole, k), {}, tuple(result.shape), result.dtype)
            for k, result in enumerate(results)
        ]

    def _without_gaps(self, value: Any) -> Any:
        """Return arguments as torch traced them: copies are views here, and some kernels do not look at strides."""
        if isinstance(value, Node):
            return self.builder.run_by_torch(torch.Tensor.contiguous, (value,), {}, value.shape, value.dtype)
        if isinstance(value, tuple | list):
            return [self._without_gaps(item) for item in value]
        return value

    def _item(self, made: Any, place: int) -> Node:
        item: Node | None = made[place]
        if item is None:
            self.builder.fail("to use operations that the compiler has a rule for", "the places of largest values")
        return item

    # --- the graph

    def _graph(self) -> Graph:
        roles, builder = self.roles, self.builder
        ours, theirs = (next(n for n in nodes if n.op == "output") for nodes in (self.first.nodes, self.second.nodes))
        results = self._merge(ours.args[0], theirs.args[0])
        inputs = iter([self.values[node] for node in self.first.nodes if node.op == "placeholder"])
        weights = {path: next(inputs) for path in roles.weights}
        x = [next(inputs) for _ in range(roles.num_x)]
        state = [next(inputs) for _ in range(roles.num_states)]
        output, *new_state = [self._row(result) for result in results[: 1 + roles.num_states]]
        graph = Graph([], weights, x, state, output, new_state)
        if roles.differentiable:
            graph.d_output = next(inputs)
            graph.d_new_state = list(inputs)
            self._set_gradients(graph, results[1 + roles.num_states :])
        gradients = [*graph.d_x, *graph.d_state, *graph.d_weights.values()]
        wanted = [output, *new_state, *(node for node in gradients if node is not None)]
        graph.nodes = _needed(builder.nodes, wanted)
        return graph

    def _row(self, result: Node) -> Node:
        """Return an output or a state, which must be a value of each row."""
        builder = self.builder
        builder.operation, builder.line = "the step", result.line
        if result in builder.reduced:
            builder.fail("to keep the rows of a batch apart", "a sum over all rows")
        if not result.shape or result.shape[0] != Rows(1):
            builder.fail("to return values of shape (batch, width)", f"a result of shape {result.shape}")
        if result.dtype != builder.dtype:
            builder.fail(f"to compute in one floating-point type, {builder.dtype}", f"a result of {result.dtype}")
        return result

    def _set_gradients(self, graph: Graph, gradients: list[Node]) -> None:
        roles = self.roles
        by_place = dict(zip(roles.differentiable, gradients, strict=True))
        found = [_unless_zero(by_place.get(k)) for k in range(len(roles.weights) + roles.num_x + roles.num_states)]
        count = len(roles.weights)
        pairs = zip(roles.weights, found[:count], strict=True)
        graph.d_weights = {path: gradient for path, gradient in pairs if gradient is not None}
        graph.d_x = found[count : count + roles.num_x]
        graph.d_state = found[count + roles.num_x :]


RULES = pointwise_rules.RULES | shape_rules.RULES
_FACTORIES = frozenset(
    words("full full_like zeros zeros_like ones ones_like empty empty_like scalar_tensor new_zeros new_ones new_full")
)
# views of weights too, so that one undoes the other
_VIEWS = frozenset(
    words(
        "t t_copy transpose transpose_copy permute permute_copy view view_copy unsqueeze unsqueeze_copy",
        "squeeze squeeze_copy slice slice_copy select select_copy expand expand_copy",
    )
)
_OF_ANY_STRIDES = frozenset(words("mm addmm bmm baddbmm sum mean cat stack"))
_TRANSPARENT = frozenset(words("clone alias alias_copy detach detach_copy lift_fresh lift_fresh_copy"))


def _unless_zero(gradient: Node | None) -> Node | None:
    return None if gradient is None or (gradient.op == "full" and gradient.args[0] == 0) else gradient


def _name(node: fx.Node) -> str:
    """Return the operation without its overload: ``aten.add``."""
    packet = getattr(node.target, "overloadpacket", None)
    return str(packet) if packet is not None else str(getattr(node.target, "__name__", node.target))


def _value(node: fx.Node) -> Any:
    return node.meta.get("val")


def _stored(module: fx.GraphModule, node: fx.Node) -> Any:
    """Return the tensor that a recording holds; ``None`` if it has no values."""
    held: Any = getattr(module, str(node.target))
    return held if type(held) is Tensor else getattr(held, "constant", None)


def _live(nodes: list[fx.Node]) -> set[fx.Node]:
    found: set[fx.Node] = set()
    for node in reversed(nodes):
        if node.op == "output" or node in found:
            found.add(node)
            found.update(node.all_input_nodes)
    return found


def _needed(nodes: list[Node], wanted: list[Node]) -> list[Node]:
    """Return the inputs and what ``wanted`` is made of, in order."""
    found = set(wanted)
    for node in reversed(nodes):
        if node in found:
            found.update(node.operands())
    return [node for node in nodes if node in found or node.op == "input"]


def _items_in(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple | list):
        for item in value:
            yield from _items_in(item)
    elif isinstance(value, dict):
        yield from _items_in(tuple(value.values()))
    else:
        yield value


def _nodes_in(value: Any) -> Iterator[Node]:
    return (item for item in _items_in(value) if isinstance(item, Node))
