"""The changed forward of a cell: from the source that was loaded, each value changed once, nothing kept alive."""

import __future__

import ast
import gc
import importlib.util
import inspect
import itertools
import linecache
import os
import pickle
import re
import sys
import types
import weakref

import pytest
import torch

import recurra.cells
from recurra.cells import Cell, GRUCell
from recurra.errors import ArgumentError, UnsupportedCellError
from recurra.layers import RecurrentDropout, VariationalDropout
from recurra.layers.loaded_source import read_source
from recurra.layers.rewriting import rewritten_forward
from recurra.loop import unroll

SOURCE = """from __future__ import annotations
import torch
from recurra.cells import Cell


class Loaded(Cell):
    states = ("h",)
    gates = ("n",)
    candidates = ("n",)

    def forward(self, x, h):
        (xn,), (hn,) = self.from_input(x), self.from_state(h)

        def scaled(value: torch.Tensor) -> torch.Tensor:
            return 0.5 * value

        n = scaled(xn + hn)
        return n
"""
X, H = torch.ones(2, 3), torch.ones(2, 4)
_numbers = itertools.count()


class Plain(Cell):
    states = ("h",)
    gates = ("n",)
    candidates = ("n",)

    def forward(self, x, h):
        (xn,), (hn,) = self.from_input(x), self.from_state(h)
        n = torch.tanh(xn + hn)
        return n


@pytest.fixture
def load(tmp_path):
    """Import a text as a new module; the test may edit its file afterwards."""
    names = []

    def loaded(text=SOURCE):
        path = tmp_path / f"loaded_{next(_numbers)}.py"
        path.write_text(text)
        names.append(path.stem)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        return module, path

    yield loaded
    for name in names:
        del sys.modules[name]


def edit(path, text):
    path.write_text(text)
    # a change within the resolution of the file's time counts too
    os.utime(path, (1, 1))


def made(*lines, header="self, x, h", base="Plain"):
    """A class with a forward of these lines, loaded from no file but known to inspect."""
    body = "".join(f"        {line}\n" for line in lines)
    return f"from tests.layers.test_rewriting import Plain\n\n\nclass Made({base}):\n    def forward({header}):\n{body}"


def doubled(cell, places=("n",), x=X, h=H):
    """Run a step with what is at some places times 2."""
    return rewritten_forward("Test", cell, frozenset(places))(cell, x, h, lambda place, value: 2 * value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SOURCE.replace("0.5 *", "100 *"), "got other code in .*loaded_.*py, line 11"),
        (SOURCE.replace("0.5", "torch.pi"), "got other code in"),
        (SOURCE.replace("xn + hn", "xn - hn"), "got other code in"),
        (SOURCE.replace("n = scaled(xn + hn)", "n = self.scaled(xn + hn)"), "got other code in"),
        (SOURCE.replace("self.from_input", "self.from_other"), "got other code in"),
        (SOURCE.replace("def forward(", "def step("), "got no definition of forward in .*, line 11"),
        ("\n\n" + SOURCE, "got no definition of forward in"),
        (SOURCE + "\n\nreturn 1\n", "got 'return' outside function in .*py, line 21"),
        (SOURCE.replace('    candidates = ("n",)\n', ""), "got no definition of forward in .*, line 11"),
        (SOURCE.replace("        n = scaled(", '        """'), "got unterminated .* in .*py, line 17"),
    ],
)
@pytest.mark.parametrize("build", [RecurrentDropout, VariationalDropout])
def test_a_file_edited_since_it_was_loaded_is_refused(load, build, text, message):
    module, path = load()
    edit(path, text)

    with pytest.raises(
        ArgumentError, match="expected forward of Loaded to have its source as it was loaded, " + message
    ) as e:
        build(module.Loaded(3, 4), 0.5)

    assert e.value.hint.startswith("restart Python if the file was edited since it was loaded")


def test_a_file_made_shorter_since_it_was_loaded_is_refused(load):
    module, path = load()
    edit(path, "import torch\n")

    with pytest.raises(ArgumentError, match="a method whose source is at hand, got OSError") as caught:
        RecurrentDropout(module.Loaded(3, 4), 0.5)

    assert "restart Python if the file was edited" in caught.value.hint


def test_the_source_is_read_when_the_wrapper_is_built_and_not_at_its_first_step(load):
    module, path = load()
    torch.manual_seed(0)
    cell = RecurrentDropout(VariationalDropout(module.Loaded(3, 4), 0.5), 0.5, "sequence")
    inner = cell.cell.cell
    edit(path, SOURCE.replace("0.5 *", "100 *"))

    h = cell((X, torch.full((2, 4), 3.0), torch.full((2, 4), 2.0)), H)

    wanted = 2 * 0.5 * (X @ inner.weight_ih.T + inner.bias_ih + 3 * H @ inner.weight_hh.T)
    torch.testing.assert_close(h, wanted)


def test_a_class_given_other_code_and_source_by_a_reload_is_read_again(load):
    module, path = load()
    cell = module.Loaded(3, 4)
    before = doubled(cell)
    text = SOURCE.replace("0.5 *", "100 *")
    edit(path, text)
    other, _ = load(text)

    module.Loaded.forward.__code__ = other.Loaded.forward.__code__

    torch.testing.assert_close(doubled(cell), 200 * before)


def test_a_cell_of_a_notebook_has_the_compiler_flags_of_those_above():
    text = SOURCE.replace("from __future__ import annotations\n", "") + "\nvalue = await anything\n"
    flags = __future__.annotations.compiler_flag | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    names = {"__name__": __name__}
    linecache.cache["<notebook>"] = len(text), None, text.splitlines(keepends=True), "<notebook>"
    made = compile(text, "<notebook>", "exec", flags)
    waiting = types.FunctionType(made, names)()
    with pytest.raises(NameError, match="anything"):
        waiting.send(None)

    cell = names["Loaded"](3, 4)

    torch.testing.assert_close(doubled(cell), 2 * cell(X, H))
    del linecache.cache["<notebook>"]


def test_code_that_an_edit_elsewhere_in_the_file_leaves_alone_is_still_changed(load):
    module, path = load()
    edit(path, SOURCE + "\n\nunrelated = 1\n")
    cell = module.Loaded(3, 4)

    torch.testing.assert_close(doubled(cell), 2 * cell(X, H))


@pytest.mark.parametrize(
    ("loaded", "now"),
    [
        ("1", "True"),
        ("1", "1.0"),
        ("0.0", "-0.0"),
        ("h in (1, 2)", "h in (1, 3)"),
        ("h in {1, 2}", "h in {1, 3}"),
        ("'a'", "'b'"),
    ],
)
def test_constants_of_equal_value_and_other_kind_are_other_code(load, loaded, now):
    lines = (f"n, m = h, {loaded}", "return n")
    module, path = load(made(*lines))
    edit(path, made(lines[0].replace(loaded, now), lines[1]))

    with pytest.raises(ArgumentError, match="as it was loaded, got other code"):
        read_source("Test expected forward of Made", module.Made.forward)


@pytest.mark.parametrize(
    "name",
    [n for n in recurra.cells.__all__ if inspect.isfunction(getattr(getattr(recurra.cells, n), "forward", None))],
)
def test_the_source_of_every_cell_is_what_was_loaded(name):
    forward = getattr(recurra.cells, name).forward

    source = read_source(f"Test expected forward of {name}", forward)

    assert source.code is forward.__code__


STRAIGHT = [
    (("n = x", "n = n * 1.0", "return n"), "'n = n * 1.0' in line 7"),
    (("n = x", "for _ in range(2):", "    n = n * 1.0", "return n"), "'n = n * 1.0' in line 8"),
    (("if h is x:", "    n = h", "n = x", "return n"), "'n = x' in line 8"),
    (("if h is x:", "    n = h", "    n = x", "return h"), "'n = x' in line 8"),
    (("n = x", "while True:", "    n: object = h", "    break", "return n"), "'n: object = h' in line 8"),
    (("with x:", "    n = x", "n = h", "return n"), "'n = h' in line 8"),
    (("try:", "    n = x", "finally:", "    n = h", "return n"), "'n = h' in line 9"),
    (("try:", "    n = x", "except TypeError:", "    n = h", "return n"), "'n = h' in line 9"),
    (("for n_ in x:", "    n = x", "else:", "    n = h", "return n"), "'n = h' in line 9"),
    (("match x:", "    case 1:", "        n = x", "n = h", "return n"), "'n = h' in line 9"),
]


@pytest.mark.parametrize(("lines", "where"), STRAIGHT)
def test_a_second_assignment_on_one_path_is_refused(load, lines, where):
    cell = load(made(*lines))[0].Made(3, 4)

    with pytest.raises(
        ArgumentError,
        match="RecurrentDropout expected forward of Made to assign n once on every path, got it again in "
        + re.escape(where)
        + "\n",
    ) as caught:
        RecurrentDropout(cell, 0.5)

    assert caught.value.hint == "give the first value another name; what is called n last is changed"


@pytest.mark.parametrize(
    "lines",
    [
        ("if h is None:", "    n = x", "else:", "    n = 3 * h", "return n"),
        ("if h is None:", "    n = x", "elif x is None:", "    n = x + 1", "else:", "    n = 3 * h", "return n"),
        ("if h is None:", "    n = x", "    return n", "n = 3 * h", "return n"),
        ("if h is None:", "    n = x", "    raise ValueError(n)", "n = 3 * h", "return n"),
        ("match h:", "    case None:", "        n = x", "    case _:", "        n = 3 * h", "return n"),
        ("for _ in range(1):", "    n = 3 * h", "return n"),
        ("n: object", "n: object = 3 * h", "return n"),
        ("def n_of(a):", "    n = 3 * a", "    return n", "n = n_of(h)", "return n"),
        ("def n_of(a):", "    n = 3 * a", "    yield n", "n = next(n_of(h))", "return n"),
        ("class Inner:", "    n = 2", "    n, m = n, 3", "n = Inner.m * h", "return n"),
        ("n = (lambda: (n := 3))() * h", "return n"),
        (
            *("if h is None:", "    n = x", "    if x is None:", "        return n", "    else:", "        return -n"),
            *("n = 3 * h", "return n"),
        ),
        ("n = sum(n for n in (h, 2 * h))", "return n"),
        ("f = lambda n: 3 * n", "n = f(h)", "return n"),
    ],
)
def test_a_value_assigned_once_on_every_path_is_changed_once(load, lines):
    cell = load(made(*lines))[0].Made(3, 4)

    torch.testing.assert_close(doubled(cell), 2 * 3 * H, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("lines", "where"),
    [
        (("n, m = x, h", "return n"), "'(n, m) = (x, h)' in line 6|'n, m = (x, h)' in line 6|'n, m = x, h' in line 6"),
        (("m = x", "m, *n = x", "return n"), "'m, *n = x' in line 7|'(m, *n) = x' in line 7"),
        (("n = m = x", "return n"), "'n = m = x' in line 6"),
        (("m = (n := x) + h", "return n"), "'m = (n := x) + h' in line 6"),
        (("m = [n := a for a in x]", "return n"), "'m = [(n := a) for a in x]' in line 6"),
        (("n = x", "n *= 2", "return n"), "'n *= 2' in line 7"),
        (("n = x", "n @= h", "return n"), "'n @= h' in line 7"),
        (("for n in x:", "    h = n", "return h"), "'for n in x:' in line 6"),
        (("with x as n:", "    return n"), "'with x as n:' in line 6"),
        (
            ("try:", "    h = x", "except TypeError as n:", "    h = n", "return h"),
            "'except TypeError as n:' in line 8",
        ),
        (("import math as n", "return n"), "'import math as n' in line 6"),
        (("n = x", "del n", "return h"), "'del n' in line 7"),
        (("def n():", "    return x", "return n()"), "'def n():' in line 6"),
        (("global n", "n = x", "return n"), "'global n' in line 6"),
        (
            ("n = x", "def change_n():", "    nonlocal n", "    n = h", "change_n()", "return n"),
            "'nonlocal n' in line 8",
        ),
        (("match x:", "    case [n, *_]:", "        return n", "return h"), "'case [n, *_]:' in line 7"),
    ],
)
def test_a_candidate_assigned_in_another_manner_is_refused(load, lines, where):
    cell = load(made(*lines))[0].Made(3, 4)

    with pytest.raises(ArgumentError, match=r"expected forward of Made to assign n as in 'n = \.\.\.' only, got ") as e:
        RecurrentDropout(cell, 0.5)

    assert any(e.value.message.endswith(one) for one in where.split("|")), e.value.message
    assert e.value.hint == "give what is assigned there another name, and then say 'n = ...'"


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("hn = self.from_state(h=h)", "self.from_state(h=h)"),
        ("hn = self.from_state(*[h])", "self.from_state(*[h])"),
        ("hn = super().from_state(h)", "super().from_state"),
        ("hn = Plain.from_state(self, h)", "Plain.from_state"),
        ("product = self.from_state", "self.from_state"),
    ],
)
def test_a_recurrent_product_called_in_another_manner_is_refused(load, line, where):
    cell = load(made("a = self.from_state(h)", line, "return a"))[0].Made(3, 4)

    with pytest.raises(ArgumentError) as caught:
        VariationalDropout(cell, 0.5)

    assert caught.value.message == (
        "VariationalDropout expected forward of Made to call from_state as in 'self.from_state(h, ...)' only, got "
        f"{where!r} in line 7"
    )


def test_every_product_of_the_state_is_changed_also_in_inner_functions_and_arguments(load):
    text = made(
        "f = lambda a: self.from_state(a)[0]",
        "def g(a):",
        "    return self.from_state(a)[0]",
        "return f(h) + g(self.from_state(h)[0])",
    )
    cell = load(text)[0].Made(3, 4)
    weight = cell.weight_hh

    h = doubled(cell, ("from_state",))

    torch.testing.assert_close(h, 2 * H @ weight.T + 2 * (2 * H @ weight.T) @ weight.T)


def test_other_methods_that_a_cell_declares_as_products_are_places_too(load):
    text = made("return self.from_output(h)") + (
        "\n    state_products = ('from_output',)\n\n    def from_output(self, h):\n        return 3 * h\n"
    )
    cell = load(text)[0].Made(3, 4)

    torch.testing.assert_close(doubled(cell, ("from_output",)), 6 * H)
    with pytest.raises(ArgumentError, match=r"a method that calls self.from_output\(h, \.\.\.\), through"):
        doubled(Declared(3, 4), ("from_output",))


class Declared(Plain):
    state_products = ("from_output",)


class Twice(Plain):
    def forward(self, x, h):
        (hn,) = self.from_state(h)
        return hn + super().forward(x, h)


class Named(Plain):
    def forward(self, x, h):
        (hn,) = self.from_state(h)
        n = hn + Plain.forward(self, x, h)
        return n


class Through(Twice):
    def forward(self, x, h):
        return super().forward(x, h)


class Scaled(GRUCell):
    def forward(self, x, h):
        n = 2 * super().forward(x, h)
        return n


@pytest.mark.parametrize(
    ("build", "place", "call"),
    [
        (lambda: VariationalDropout(Twice(3, 4), 0.5), "from_state", "super().forward(x, h)"),
        (lambda: VariationalDropout(Named(3, 4), 0.5), "from_state", "Plain.forward(self, x, h)"),
        (lambda: VariationalDropout(Through(3, 4), 0.5), "from_state", "super().forward(x, h)"),
        (lambda: RecurrentDropout(Named(3, 4), 0.5), "n", "Plain.forward(self, x, h)"),
        (lambda: RecurrentDropout(Scaled(3, 4), 0.5), "n", "super().forward(x, h)"),
    ],
)
def test_a_place_in_the_forward_of_a_base_class_is_refused(build, place, call):
    with pytest.raises(ArgumentError) as caught:
        build()

    assert f"to hold all places of {place} itself, got {call!r} in line " in caught.value.message
    assert caught.value.message.endswith(", which has some too")
    assert caught.value.hint == "write out what the base class does"


def test_the_forward_of_a_base_class_without_the_place_may_be_called(load):
    text = made("(hn,) = self.from_state(h)", "return hn + super().forward(x, h)", base="Base").replace(
        "class Made", "class Base(Plain):\n    def forward(self, x, h):\n        return 5 * h\n\n\nclass Made"
    )
    cell = load(text)[0].Made(3, 4)

    torch.testing.assert_close(doubled(cell, ("from_state",)), 2 * H @ cell.weight_hh.T + 5 * H)


def test_a_base_class_whose_source_is_not_at_hand_may_not_be_called(load):
    class Sourceless(Plain):
        exec("def forward(self, x, h):\n n = h\n return n")

    class Upon(Sourceless):
        def forward(self, x, h):
            (hn,) = self.from_state(h)
            return hn + super().forward(x, h)

    class Partial(Plain):
        forward = torch.nn.Identity()

    class UponPartial(Partial):
        def forward(self, x, h):
            (hn,) = self.from_state(h)
            return hn + super().forward(x)

    with pytest.raises(ArgumentError, match="forward of Upon, which calls that of a base class, to be a method"):
        VariationalDropout(Upon(3, 4), 0.5)
    with pytest.raises(ArgumentError, match="base class, to find a method in Partial, got Identity"):
        VariationalDropout(UponPartial(3, 4), 0.5)


def test_a_lambda_and_a_coroutine_are_refused():
    class Short(Plain):
        forward = lambda self, x, h: self.from_state(h)[0]  # noqa: E731 - what is tested

    class Awaited(Plain):
        async def forward(self, x, h):
            return self.from_state(h)[0]

    with pytest.raises(ArgumentError, match="forward of Short to be a plain method without decorators, got a lambda"):
        VariationalDropout(Short(3, 4), 0.5)
    with pytest.raises(ArgumentError, match="of Awaited to be a plain method without decorators, got a coroutine"):
        VariationalDropout(Awaited(3, 4), 0.5)


def test_a_function_put_into_a_class_keeps_its_names(load):
    text = SOURCE + (
        "\n\ndef around(offset):\n    def step(self, x, h):\n        n = self.__offset * h + offset\n        return n\n"
        "\n    return step\n\n\nLoaded.forward = around(7)\nLoaded.__offset = 3\n"
    )
    cell = load(text)[0].Loaded(3, 4)

    torch.testing.assert_close(doubled(cell), 2 * (3 * H + 7))


def test_nothing_that_a_class_encloses_outlives_it():
    def build():
        enclosed = torch.zeros(4)

        class Enclosing(Plain):
            def forward(self, x, h):
                (hn,) = self.from_state(h)
                n = super().from_state(h)[0] + hn + enclosed
                return n

        cell = RecurrentDropout(Enclosing(3, 4), 0.5)
        unroll(cell, torch.zeros(2, 2, 3), engine="eager")
        return [weakref.ref(item) for item in (enclosed, Enclosing, Enclosing.forward, cell)]

    references = build()
    gc.collect()

    assert [reference() for reference in references] == [None] * 4


def test_variables_around_a_class_are_seen_as_they_are_at_the_step():
    offset = 1.0

    class Enclosing(Plain):
        def forward(self, x, h):
            n = h + offset
            return n

    cell = Enclosing(3, 4)
    before = doubled(cell)
    offset = 5.0

    assert torch.equal(before, torch.full((2, 4), 4.0))
    assert torch.equal(doubled(cell), torch.full((2, 4), 12.0))


def test_two_classes_made_by_one_function_have_each_its_variables():
    def build(offset):
        class Enclosing(Plain):
            def forward(self, x, h):
                n = h + offset
                return n

        return Enclosing(3, 4)

    first, second = build(1.0), build(2.0)

    assert [float(doubled(cell)[0, 0]) for cell in (first, second, first)] == [4.0, 6.0, 4.0]


def test_a_wrapper_is_still_pickled():
    cell = RecurrentDropout(Plain(3, 4), 0.5)
    unroll(cell, torch.zeros(2, 2, 3), engine="eager")

    assert repr(pickle.loads(pickle.dumps(cell))) == repr(cell)


@pytest.mark.parametrize("build", [RecurrentDropout, VariationalDropout])
def test_an_error_of_the_compiler_names_the_file_and_the_line_of_the_cell(load, build):
    text = SOURCE.replace("        n = scaled(xn + hn)", "        n = torch.sort(xn + hn).values  # here")
    line = text.splitlines().index("        n = torch.sort(xn + hn).values  # here") + 1
    module, path = load(text)

    with pytest.raises(UnsupportedCellError) as caught:
        unroll(build(module.Loaded(3, 4), 0.5), torch.zeros(2, 2, 3), engine="native")

    assert f"{path.name}:{line}: n = torch.sort(xn + hn).values  # here" in str(caught.value)
