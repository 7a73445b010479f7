"""What the native engine runs before, inside and after the loop over time, said for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recurra.inspection.anatomy.counting import elementwise_work
from recurra.inspection.anatomy.formulas import Sizes
from recurra.inspection.anatomy.known_step import KnownStep
from recurra.inspection.anatomy.quantities import find_quantity
from recurra.inspection.anatomy.step_names import StepNames, Unnamed
from recurra.inspection.anatomy.weight_labels import is_computed
from recurra.loop.fission import Section, split
from recurra.loop.graph import PRODUCTS, Graph, Node, Rows, ancestors
from recurra.loop.rewrite import cut_products


@dataclass(frozen=True)
class Place:
    """A place in the run over a sequence of T steps of B rows.

    Attributes:
        title: Which one.
        works: What runs there, one line each; empty if nothing does.
        is_backward: Whether it belongs to the backward pass.
    """

    title: str
    works: tuple[str, ...]
    is_backward: bool = False


Words = tuple[str | int, ...]
"""A line in which sizes stand as numbers still."""


@dataclass(frozen=True)
class Draft:
    """A place at one input and hidden size."""

    title: str
    works: tuple[Words, ...]
    is_backward: bool = False


_ALL = "for all steps at once"
_EACH = "step by step"


def draft_places(graph: Graph, known: KnownStep | None = None) -> tuple[Draft, ...]:
    """Return where each part of a traced step, and of its derivative, runs.

    Args:
        graph: The step, from :func:`recurra.inspection.anatomy.tracing.trace`.
        known: What is known of it by name; left out, sizes alone are told.
    """
    cut = cut_products(graph)
    return _Writer(cut, StepNames(cut, known) if known else Unnamed()).places()


def write_places(
    own: Sequence[Draft], at: tuple[int, int], others: Sequence[Sequence[Draft]], sizes: Sizes, degree: int = 2
) -> tuple[Place, ...]:
    """Return places with their sizes as formulas, or as they are where those at other sizes do not tell any.

    Args:
        own: The places at the sizes asked for.
        at: These sizes: that of the input, and the hidden one.
        others: The places at ``sizes``; empty if none are known.
        sizes: Input and hidden sizes.
        degree: The highest that a formula may have.
    """
    places = []
    for k, draft in enumerate(own):
        columns = [other[k].works if len(other) == len(own) else () for other in others]
        works = []
        for j, words in enumerate(draft.works):
            there = [column[j] if len(column) == len(draft.works) else () for column in columns]
            # the words may differ: it is the sizes asked for whose weights have the right names
            is_alike = bool(there) and all(_sizes_in(other) == _sizes_in(words) for other in there)
            works.append("".join(_written(words, at, there if is_alike else [], sizes, degree)))
        places.append(Place(draft.title, tuple(works), draft.is_backward))
    return tuple(places)


def _written(words: Words, at: tuple[int, int], others: Sequence[Words], sizes: Sizes, degree: int) -> Iterator[str]:
    for place, word in enumerate(words):
        if isinstance(word, str):
            yield word
        else:
            yield find_quantity(word, at, [int(other[place]) for other in others], sizes, degree).exact


def _sizes_in(words: Words) -> list[int]:
    return [place for place, word in enumerate(words) if not isinstance(word, str)]


class _Writer:
    def __init__(self, graph: Graph, names: StepNames | Unnamed) -> None:
        self.graph = graph
        self.fission = split(graph)
        self.names = names
        self.order = {node: place for place, node in enumerate(graph.nodes)}
        self.forward_values = ancestors([graph.output, *graph.new_state])
        self.forward_products = [node for node in graph.nodes if node in self.forward_values and _is_product(node)]

    def places(self) -> tuple[Draft, ...]:
        fission = self.fission
        once = tuple((f"what is made of {label}",) for label in self._made_once())
        found = [
            Draft("once, however many steps there are", once),
            Draft(f"before the loop, {_ALL}", self._before()),
            Draft(f"inside the loop, {_EACH}", self._forward(fission.forward, "B")),
            Draft(f"after the loop, {_ALL}", self._forward(fission.after, "T·B")),
            Draft(f"backward, before the loop, {_ALL}", self._backward(fission.d_before, "T·B"), True),
            Draft(f"backward, inside the loop, {_EACH} from the last", self._backward(fission.backward, "B"), True),
            Draft(f"backward, after the loop, {_ALL}", self._after_backward(), True),
        ]
        return tuple(draft for k, draft in enumerate(found) if draft.works or k not in (0, 4))

    # --- what a section computes

    def _computed(self, section: Section) -> list[Node]:
        """Return the row values that a section computes, in the order in which the step does."""
        found: set[Node] = set()
        waiting = list(section.targets.values())
        while waiting:
            node = waiting.pop()
            if node not in found and node.is_row and node not in section.inputs and node.op != "input":
                found.add(node)
                waiting += node.operands()
        return sorted((node for node in found if node in self.order), key=self.order.__getitem__)

    def _made_once(self) -> list[str]:
        """Return the weights of which values are made that are no weights themselves, for the forward pass."""
        computed = [node for section in self.fission.forward_sections() for node in self._computed(section)]
        made = [one for node in computed for one in node.operands() if not one.is_row and is_computed(one)]
        return list(dict.fromkeys(self.names.made_of(node) for node in made))

    # --- forward

    def _before(self) -> tuple[Words, ...]:
        draws: list[Words] = [
            ("random numbers, ", _columns(node), " a row and step, drawn at once") for node in self.fission.draws
        ]
        return (*draws, *self._forward(self.fission.before, "T·B"))

    def _forward(self, section: Section, rows: str) -> tuple[Words, ...]:
        nodes = self._computed(section)
        products = [self._product(node, rows) for node in nodes if _is_product(node)]
        computed = [node for node in nodes if elementwise_work(node)]
        is_bias = all(node.op == "addmm" for node in computed)
        # a new state may be but cut from something
        told = [node for node in nodes if node in computed or node in self.graph.new_state]
        names = dict.fromkeys(filter(None, map(self.names.value, told)))
        return (*products, *_elementwise(nodes, "the biases" if is_bias else ", ".join(names)))

    def _product(self, node: Node, rows: str) -> Words:
        source, matrix = node.operands()[-2:]
        bias = f" + {self.names.bias(node.args[0])}" if node.op == "addmm" else ""
        text = f"{self.names.matrix(matrix)} {self.names.factor(source)}{bias}: one product "
        return (text, *_shapes(source, matrix, rows))

    # --- backward

    def _backward(self, section: Section, rows: str) -> tuple[Words, ...]:
        nodes = self._computed(section)
        # others are values of the forward pass that were not kept
        gradients = [node for node in nodes if node not in self.forward_values]
        products = [self._product_back(node, rows) for node in gradients if _is_product(node)]
        return (*products, *_elementwise(nodes, "the derivatives of those above"))

    def _product_back(self, node: Node, rows: str) -> Words:
        source, matrix = node.operands()[-2:]
        ends = self.names.ends(self.forward_products, matrix)
        through = self.names.matrix(matrix, is_back=True)
        text = f"back through {through}{' to ' if ends else ''}{', '.join(ends)}: one product "
        return (text, *_shapes(source, matrix, rows))

    def _after_backward(self) -> tuple[Words, ...]:
        return (*self._backward(self.fission.d_after, "T·B"), *self._sums())

    def _sums(self) -> Iterator[Words]:
        """Yield how the gradients of weights are summed over all steps; weights of one sum stand together."""
        paths: dict[tuple[Node, ...], list[str]] = {}
        for path, gradient in self.graph.d_weights.items():
            products = tuple(node for node in _batch_free(gradient) if _is_product_over_rows(node))
            paths.setdefault(products, []).append(self.names.weight(path))
        for products, names in paths.items():
            for (rows, columns), count in Counter(map(_sizes_of, products)).items():
                how = "one product" if count == 1 else f"{count} products"
                yield (f"gradient of {', '.join(names)}: {how} (", rows, ", T·B) × (T·B, ", columns, ")")
        if () in paths:
            yield (f"gradient of {', '.join(paths[()])}: summed over all steps and rows",)


def _is_product(node: Node) -> bool:
    return node.is_row and node.op in PRODUCTS


def _sizes_of(product: Node) -> tuple[int, int]:
    left, right = product.operands()
    return int(left.row_shape[0]), _columns(right)


def _elementwise(nodes: Sequence[Node], what: str) -> tuple[Words, ...]:
    count = sum(map(elementwise_work, nodes))
    end = f" operations a row): {what}" if what else " operations a row)"
    return (("element by element (", count, end),) if count else ()


def _shapes(source: Node, matrix: Node, rows: str) -> Words:
    size = source.shape[0]
    several: Words = (size.multiple, "·") if isinstance(size, Rows) and size.multiple > 1 else ()
    inner, columns = matrix.row_shape
    return ("(", *several, f"{rows}, ", inner, ") × (", inner, ", ", columns, ")")


def _columns(node: Node) -> int:
    return int(node.row_shape[-1])


def _batch_free(node: Node) -> list[Node]:
    """Return the batch-free values that a gradient is made of, itself too, in the order of their computation."""
    found: dict[Node, None] = {}
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node not in found and not node.is_row:
            found[node] = None
            waiting += node.operands()
    return list(reversed(found))


def _is_product_over_rows(node: Node) -> bool:
    is_product = node.op == "torch" and str(getattr(node.args[0], "__name__", "")).split(".")[0] == "mm"
    return is_product and all(operand.is_row for operand in node.operands())
