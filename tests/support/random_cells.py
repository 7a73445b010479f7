"""Random cells, as Python source: what the compiled engine is compared with eager on.

A :class:`Program` is a cell's text, and ``build`` runs it, so that a failing example prints a class that can be pasted.
The text is written so that float64 results are well determined: values are kept small by squashing, roots and divisions
are guarded, and operations with a kink or a jump see their operand shifted by an odd constant, so that zeros (the usual
first state) do not stand on the kink.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st

from tests.support.random_rules import ALL_RULES, OTHER_RULES, Value, Writer, write_product

__all__ = ["ALL_RULES", "Program", "programs"]


@dataclass(frozen=True)
class Program:
    """A cell as text.

    Attributes:
        source: A class ``RandomCell`` in Python.
        input_sizes: Width of each input.
        is_tuple: Whether a step takes a tuple of inputs.
        state_sizes: Width of each state.
        rules: Names of the rules that wrote it, for counting what was covered.
    """

    source: str
    input_sizes: tuple[int, ...]
    is_tuple: bool
    state_sizes: tuple[int, ...]
    rules: tuple[str, ...]

    def build(self, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.nn.Module:
        """Return the cell with the weights of ``seed``."""
        file = f"<random cell {hashlib.sha1(self.source.encode()).hexdigest()[:10]}>"
        # the text of a line can then be quoted by tracebacks, and by the compiler's messages
        linecache.cache[file] = (len(self.source), None, self.source.splitlines(keepends=True), file)
        names = {"torch": torch, "F": torch.nn.functional, "__name__": __name__}
        exec(compile(self.source, file, "exec"), names)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return names["RandomCell"]().to(dtype)

    def __repr__(self) -> str:
        return self.source


NEXT = {
    "tanh": "torch.tanh({a})",
    "sigmoid": "torch.sigmoid({a})",
    "convex": "torch.sigmoid({b}) * {h} + (1 - torch.sigmoid({b})) * torch.tanh({a})",
    "leaky": "0.8 * {h} + 0.2 * torch.tanh({a})",
    "lerp": "torch.lerp({h}, torch.sin({a}), 0.4)",
    "kept": "{h}",
    "input only": "torch.tanh({x})",
}


@st.composite
def programs(draw: Callable) -> Program:
    """Draw a cell: one to three states, one or two inputs, up to four products, some ten lines."""
    writer = Writer(draw)
    widths = st.integers(1, 6)
    inputs = draw(st.lists(widths, min_size=1, max_size=2))
    is_tuple = len(inputs) > 1 or draw(st.integers(0, 4)) == 4
    states = draw(st.lists(widths, min_size=1, max_size=3))
    writer.values = [Value(f"x{k}", n, 2.5) for k, n in enumerate(inputs)]
    writer.values += [Value(f"h{k}", n, 1.0) for k, n in enumerate(states)]
    num_products = draw(st.integers(0, 4))
    num_others = draw(st.integers(0, 9))
    others = draw(st.lists(st.sampled_from(OTHER_RULES), min_size=num_others, max_size=num_others))
    for write in draw(st.permutations([*others, *[write_product] * num_products])):
        write(writer)
    output = writer.pick() if draw(st.integers(0, 3)) == 3 else None
    new = [_write_next(writer, k, states) for k in range(len(states))]
    source = _source(writer, len(inputs), is_tuple, states, new, output, learns_state=draw(st.booleans()))
    return Program(source, tuple(inputs), is_tuple, tuple(states), tuple(writer.rules))


def _write_next(writer: Writer, k: int, states: list[int]) -> str:
    rule = writer.choose(list(NEXT))
    writer.rules.append(f"next {rule}")
    b = writer.fit(writer.pick(), states[k])
    a = [writer.fit(writer.pick(), states[k])]
    if rule not in ("kept", "input only"):
        # what is left over is shared out among the states
        a += [f"0.5 * {writer.fit(value, states[k])}" for value in writer.unused[k :: len(states)]]
    x = writer.values[0]
    return NEXT[rule].format(a=" + ".join(a), b=b, h=f"h{k}", x=writer.fit(x, states[k]))


def _source(writer, num_inputs, is_tuple, states, new, output, *, learns_state) -> str:
    names = [f"h{k}" for k in range(len(states))]
    lines = ["class RandomCell(torch.nn.Module):", f"    state_size = ({', '.join(map(str, states))},)"]
    lines += [f"    output_size = {output.width if output else states[0]}"]
    lines += ["    returns_output = True"] if output else []
    lines += ["", "    def __init__(self):", "        super().__init__()"]
    starts = [f"self.s{k} = torch.nn.Parameter(torch.randn({n}) * 0.5)" for k, n in enumerate(states)]
    lines += [f"        {text}" for text in (*(starts if learns_state else []), *writer.set_up)]
    lines += ["", "    def initial_state(self, batch_size):"]
    if learns_state:
        starts = [f"self.s{k}.expand(batch_size, -1)" for k in range(len(states))]
    else:
        starts = [f"torch.zeros(batch_size, {n}, dtype=torch.float64)" for n in states]
    lines += [f"        return {_tuple_text(starts)}", "", "    def forward(self, x, state):"]
    inputs = ", ".join(f"x{k}" for k in range(num_inputs))
    lines += [f"        {inputs}{',' if is_tuple and num_inputs == 1 else ''} = x"]
    lines += [f"        {', '.join(names)} = state"]
    lines += [f"        {text}" for text in writer.lines]
    returned = _tuple_text(new)
    lines += [f"        return {output.name}, {returned}" if output else f"        return {returned}", ""]
    return "\n".join(lines)


def _tuple_text(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"({', '.join(parts)})"
