"""The key of a cell changes with whatever its step may depend on, and only with that."""

from __future__ import annotations

import collections
import copy
import dataclasses
import enum
import functools
import gc
import logging
import math
import pickle
import threading
import weakref
from typing import ClassVar

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from recurra.cells import GRUCell, LSTMCell
from recurra.errors import UnsupportedCellError
from recurra.loop.fingerprint import examine, fingerprint, tensors_of

H = 4


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Options:
    slope: float = 0.5
    names: tuple[str, ...] = ("a",)


class Holding(nn.Module):
    """A cell with one attribute, ``value``."""

    gain = 0.5
    table: ClassVar = [1.0, 2.0]

    def __init__(self, value=None):
        super().__init__()
        self.u = nn.Linear(H, H)
        self.value = value

    def forward(self, x, h):
        return torch.tanh(self.u(h))


def changed(cell, change):
    before = fingerprint(cell)
    change(cell)
    return fingerprint(cell) != before


@pytest.mark.parametrize("build", [functools.partial(LSTMCell, 3, H), functools.partial(nn.GRUCell, 3, H), Holding])
def test_equal_cells_have_equal_keys(build):
    cell, other = build(), build()

    assert fingerprint(cell) == fingerprint(other)
    assert hash(fingerprint(cell)) == hash(fingerprint(other))
    assert fingerprint(copy.deepcopy(cell)) == fingerprint(cell)
    assert fingerprint(pickle.loads(pickle.dumps(cell))) == fingerprint(cell)


VALUES = [
    None,
    False,
    True,
    0,
    1,
    1.0,
    0.0,
    -0.0,
    math.nan,
    1j,
    "1",
    b"1",
    (),
    (1,),
    (1.0,),
    (1, 2),
    ((1,), 2),
    [],
    [1],
    {},
    {"a": 1},
    {"a": 1.0},
    {"b": 1},
    {1: "a"},
    collections.OrderedDict(a=1),
    collections.deque([1]),
    set(),
    {1},
    {True},
    frozenset([1]),
    torch.float32,
    torch.float64,
    torch.Size([1]),
    torch.device("cpu"),
    range(3),
    Colour.RED,
    Colour.BLUE,
    Options(),
    Options(slope=1.0),
    Options(names=("b",)),
    torch.tanh,
    torch.sigmoid,
    nn.functional.relu,
    nn.Tanh(),
    nn.Linear(H, H),
    nn.Linear(H, H, bias=False),
    [nn.Tanh()],
    nn.ModuleList([nn.Tanh()]),
    functools.partial(torch.clamp, min=0.0),
    functools.partial(torch.clamp, min=0.5),
    torch.zeros(H),
    torch.zeros(H + 1),
    torch.zeros(H, dtype=torch.float64),
    torch.zeros(H, requires_grad=True),
    torch.zeros(2, 2).t()[:, :1],
    nn.Parameter(torch.zeros(H)),
    [torch.zeros(H)],
    Holding,
    logging.getLogger("one"),
]


def test_every_value_of_an_attribute_has_a_key_of_its_own():
    keys = [fingerprint(Holding(value)) for value in VALUES]

    assert keys == [fingerprint(Holding(value)) for value in VALUES]
    same = [(a, b) for i, a in enumerate(VALUES) for j, b in enumerate(VALUES) if i < j and keys[i] == keys[j]]
    assert same == []


def closing_over(value):
    return lambda z: z * value


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: cell.eval(),
        lambda cell: cell.u.eval(),
        lambda cell: setattr(cell, "more", 1),
        lambda cell: delattr(cell, "value"),
        lambda cell: cell.value["list"].append(1),
        lambda cell: cell.value["list"][0].update(a=2),
        lambda cell: setattr(cell.value["options"], "slope", 0.6),
        lambda cell: setattr(cell.u, "weight", nn.Parameter(torch.zeros(H, H + 1))),
        lambda cell: cell.u.weight.requires_grad_(False),
        lambda cell: cell.double(),
        lambda cell: setattr(cell.u, "bias", None),
        lambda cell: cell.register_buffer("mask", torch.ones(H)),
        lambda cell: setattr(cell.u, "bias", cell.tied),
        lambda cell: setattr(cell, "u", nn.Identity()),
        lambda cell: cell.register_forward_hook(lambda *_: None),
        lambda cell: cell.u.register_forward_pre_hook(lambda *_: None),
        lambda cell: cell.u.register_full_backward_hook(lambda *_: None),
        lambda cell: setattr(cell, "forward", lambda x, h: h),
        lambda cell: setattr(cell, "__class__", type("Derived", (Holding,), {})),
        lambda cell: parametrizations.weight_norm(cell.u),
        lambda cell: cell.value["cell"].extend([1]),
    ],
)
def test_a_change_anywhere_in_the_tree_changes_the_key(change):
    inside = []
    cell = Holding({"list": [{"a": 1}], "options": Options(), "closure": lambda: inside, "cell": inside})
    cell.tied = nn.Parameter(torch.zeros(H))

    assert changed(cell, change)


def test_what_a_closure_holds_is_part_of_the_key():
    scale = [0.5]
    cell = Holding(lambda z: z * scale[0])

    assert changed(cell, lambda _: scale.__setitem__(0, 0.6))
    assert fingerprint(Holding(closing_over(1.0))) == fingerprint(Holding(closing_over(1.0)))
    assert fingerprint(Holding(closing_over(1.0))) != fingerprint(Holding(closing_over(1)))


def test_a_bound_method_is_known_by_its_object():
    first, second = Options(), Options()
    assert fingerprint(Holding(first.__eq__)) == fingerprint(Holding(second.__eq__))

    assert changed(Holding(first.__eq__), lambda _: setattr(first, "slope", 2.0))


@pytest.mark.parametrize(("name", "value"), [("gain", 0.6), ("gain", 1), ("forward", lambda self, x, h: h), ("new", 1)])
def test_what_a_class_holds_is_part_of_the_key(name, value, monkeypatch):
    cell = Holding()

    assert changed(cell, lambda _: monkeypatch.setattr(Holding, name, value, raising=False))


def test_a_list_of_a_class_is_compared_by_what_is_in_it(monkeypatch):
    monkeypatch.setattr(Holding, "table", [1.0, 2.0])

    assert changed(Holding(), lambda cell: cell.table.append(3.0))


def test_global_settings_are_part_of_the_key():
    cell = Holding()
    before = fingerprint(cell)

    with torch.autocast("cpu"):
        assert fingerprint(cell) != before
    handle = nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert fingerprint(cell) != before
    handle.remove()
    torch.set_default_dtype(torch.float64)
    inside = fingerprint(cell)
    torch.set_default_dtype(torch.float32)
    assert inside != before
    assert fingerprint(cell) == before


def test_values_of_tensors_and_what_saving_uses_are_not_part_of_the_key():
    cell = Holding(torch.zeros(H))
    before = fingerprint(cell)

    with torch.no_grad():
        cell.u.weight.fill_(1)
        cell.value.add_(1)
    cell.u.weight.grad = torch.zeros(H, H)
    cell.register_state_dict_post_hook(lambda *_: None)

    assert fingerprint(cell) == before


def test_a_function_lives_as_long_as_a_key_that_names_it():
    cell = Holding(closing_over(1.0))
    cell.register_forward_hook(hook := closing_over(2.0))
    key, gone = fingerprint(cell), weakref.ref(hook.__code__)

    del cell, hook
    gc.collect()

    assert key is not None
    assert gone() is not None


def test_cycles_and_shared_parts_are_walked_once():
    cell = Holding()
    cell.value = {"self": cell, "list": []}
    cell.value["list"].append(cell.value["list"])

    assert fingerprint(cell) == fingerprint(cell)
    assert list(tensors_of(cell)) == ["u.weight", "u.bias"]


def test_tensors_are_found_wherever_they_are():
    shared = torch.zeros(H)
    cell = Holding({"a": [shared, (torch.ones(H),)], "options": Options(slope=torch.zeros(1))})
    cell.again = shared
    cell.hold = closing_over(torch.zeros(2))
    cell.inner = nn.ModuleDict({"k": GRUCell(3, H, bias=False)})

    found = tensors_of(cell)

    assert list(found) == [
        "u.weight",
        "u.bias",
        "inner.k.weight_ih",
        "inner.k.weight_hh",
        "value.a.0",
        "value.a.1.0",
        "value.options.slope",
        "hold.value",
    ]
    assert found["value.a.0"] is shared


def test_of_tied_tensors_the_first_path_counts():
    first, second = Holding(), Holding()
    first.tied = first.u.weight
    second.tied = nn.Parameter(torch.zeros(H, H))

    assert list(tensors_of(first)) == ["tied", "u.bias"]
    assert fingerprint(first) != fingerprint(second)


def test_two_tensors_under_one_path_are_told_apart():
    cell = Holding({"a.b": torch.zeros(1), "a": {"b": torch.ones(1)}})

    assert list(tensors_of(cell))[2:] == ["value.a.b", "value.a.b'"]


def test_one_walk_gives_both():
    cell = LSTMCell(3, H)

    assert examine(cell) == (fingerprint(cell), tensors_of(cell))


class Slotted:
    __slots__ = ("a",)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (threading.Lock(), "whose values it can compare, got _thread.lock for value"),
        ({"deep": [threading.Lock()]}, "got _thread.lock for value.deep.0"),
        (Slotted(), "got .*Slotted for value"),
        (iter([1]), "got builtins.list_iterator for value"),
        (list(range(5000)), "containers of at most 4096 items, got 5000 in value"),
        ({(1, 2)}, "sets of names and integers, got tuple in value"),
        (nn.LazyLinear(3), "tensors that have a shape, got a lazy one for value.weight"),
    ],
)
def test_an_attribute_that_cannot_be_compared_is_named(value, message):
    with pytest.raises(UnsupportedCellError, match=f"^Holding expected .*{message}"):
        fingerprint(Holding(value))
