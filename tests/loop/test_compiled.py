"""What is compiled is kept and found again, compiled anew when the cell changed, and given up when it is too much."""

from __future__ import annotations

import copy
import gc
import threading
import weakref

import pytest
import torch

from recurra.cells import GRUCell
from recurra.errors import UnsupportedCellError
from recurra.loop import compiled, unroll
from recurra.loop.compiled import find_compiled
from recurra.loop.plan import build_plan
from tests.loop.native.comparing import ENGINE, D, check_against_eager


class Leaky(torch.nn.Module):
    """Small, and with all that a fingerprint looks at: an attribute, a buffer, another step when it is trained."""

    state_size = 4

    def __init__(self, rate=0.5):
        super().__init__()
        self.rate = rate
        self.w = torch.nn.Parameter(torch.linspace(-1, 1, 16, dtype=D).view(4, 4))
        self.register_buffer("scale", torch.ones(4, dtype=D))

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)

    def forward(self, x, h):
        new = torch.tanh(x + (h * self.scale) @ self.w)
        return (1 - self.rate) * h + self.rate * (new if self.training else new * 0.5)


class Sorting(torch.nn.Module):
    state_size = 4

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)

    def forward(self, x, h):
        return torch.tanh(x + h.sort(1).values)


@pytest.fixture(autouse=True)
def compilations(monkeypatch):
    """Begin with nothing kept; count what is compiled."""
    compiled.clear()
    made = []
    trace = compiled.trace_step

    def counting(cell, *args, **options):
        made.append(type(cell).__name__)
        return trace(cell, *args, **options)

    monkeypatch.setattr(compiled, "trace_step", counting)
    yield made
    compiled.clear()


def x_of(num_steps=3, batch_size=2, size=4, dtype=D):
    return torch.linspace(-1, 1, num_steps * batch_size * size, dtype=dtype).view(num_steps, batch_size, size)


def look_up(cell, x=None):
    x = x_of() if x is None else x
    plan = build_plan(cell, x, None, lengths=None, reset=None, reverse=False, initial_state=None)
    return find_compiled(plan)


# --- found again


def test_an_equal_cell_is_not_compiled_again(compilations):
    cell = Leaky()

    step, tensors, key = look_up(cell)
    other, other_tensors, other_key = look_up(copy.deepcopy(cell))

    assert other is step
    assert other_key == key
    assert compilations == ["Leaky"]
    # the code is shared, the weights are each cell's own
    assert tensors[0] is cell.w or tensors[1] is cell.w
    assert not {id(t) for t in tensors} & {id(t) for t in other_tensors}


@pytest.mark.parametrize("x", [x_of(9, 2), x_of(3, 7), x_of(1, 1)], ids=["steps", "rows", "one"])
def test_other_numbers_of_steps_and_rows_compile_nothing(x, compilations):
    step, _, _ = look_up(Leaky())

    assert look_up(Leaky(), x)[0] is step
    assert compilations == ["Leaky"]


@pytest.mark.parametrize(
    "options", [{"lengths": torch.tensor([1, 3])}, {"reset": torch.eye(3, 2) > 0}, {"reverse": True}]
)
def test_lengths_resets_and_direction_compile_nothing(options, compilations):
    cell = Leaky()
    look_up(cell)

    check_against_eager(cell, x_of(), **options)

    assert compilations == ["Leaky"]


def test_new_values_and_new_tensors_of_the_same_form_compile_nothing(compilations):
    cell = Leaky()
    step, _, _ = look_up(cell)
    cell.w = torch.nn.Parameter(torch.randn(4, 4, dtype=D))
    cell.scale.mul_(3)
    cell.w.data = cell.w.data.clone() + 1

    again, tensors, _ = look_up(cell)
    check_against_eager(cell, x_of())

    assert again is step
    assert any(tensor is cell.w for tensor in tensors)
    assert compilations == ["Leaky"]


# --- compiled again


@pytest.mark.parametrize(
    "change",
    [
        lambda cell: setattr(cell, "rate", 0.25),
        lambda cell: cell.eval(),
        lambda cell: cell.w.requires_grad_(False),
        lambda cell: setattr(cell, "scale", torch.ones(1, dtype=D)),
        lambda cell: cell.register_buffer("more", torch.ones(1)),
    ],
    ids=["attribute", "eval", "frozen", "buffer's shape", "another buffer"],
)
def test_a_changed_cell_is_compiled_again_and_the_first_is_still_there(change, compilations):
    cell, same = Leaky(), Leaky()
    step, _, _ = look_up(cell)

    change(cell)
    check_against_eager(cell, x_of())

    assert look_up(cell)[0] is not step
    assert look_up(same)[0] is step
    assert compilations == ["Leaky", "Leaky"]


def test_training_and_evaluation_each_have_their_own_code(compilations):
    cell = Leaky()
    outputs = [unroll(cell.train(mode), x_of(), engine=ENGINE)[0].detach() for mode in (True, False, True, False)]

    assert compilations == ["Leaky", "Leaky"]
    assert torch.equal(outputs[0], outputs[2])
    assert torch.equal(outputs[1], outputs[3])
    assert not torch.equal(outputs[0], outputs[1])


def test_without_gradients_only_the_forward_pass_is_compiled(compilations):
    cell = Leaky()
    with torch.no_grad():
        forward_only, _, _ = look_up(cell)
    both, _, _ = look_up(cell)

    assert set(forward_only.sections) == {"forward"}
    assert {"forward", "backward"} <= set(both.sections)
    assert compilations == ["Leaky", "Leaky"]


def test_another_type_or_width_is_another_step(compilations):
    cells = [GRUCell(3, 4), GRUCell(3, 5), GRUCell(3, 4).double()]
    steps = [look_up(cell, x_of(size=3, dtype=cell.weight_ih.dtype))[0] for cell in cells]

    assert len({id(step) for step in steps}) == 3
    assert [step.dtype for step in steps] == [torch.float32, torch.float32, D]
    assert [step.state_widths for step in steps] == [[4], [5], [4]]


# --- given up


def codes_of(step):
    return [weakref.ref(section.code) for section in step.sections.values()]


def test_the_step_that_was_not_used_for_the_longest_time_goes_first(monkeypatch, compilations):
    monkeypatch.setattr(compiled, "MAX_COMPILED", 2)
    first, second, third = Leaky(0.1), Leaky(0.2), Leaky(0.3)

    for cell in (first, second, first, third):
        look_up(cell)
    assert len(compiled._cache) == 2
    look_up(first)
    assert len(compilations) == 3
    look_up(second)
    assert len(compilations) == 4


def test_what_goes_frees_its_code(monkeypatch):
    monkeypatch.setattr(compiled, "MAX_COMPILED", 2)
    codes = codes_of(look_up(Leaky(0.1))[0])
    look_up(Leaky(0.2))
    gc.collect()
    assert all(code() is not None for code in codes)

    look_up(Leaky(0.3))
    gc.collect()

    assert codes
    assert all(code() is None for code in codes)


def test_code_stays_as_long_as_a_backward_pass_needs_it(monkeypatch):
    monkeypatch.setattr(compiled, "MAX_COMPILED", 1)
    cell = Leaky(0.1)
    output = unroll(cell, x_of(), engine=ENGINE)[0]
    wanted = torch.autograd.grad(unroll(cell, x_of(), engine="eager")[0].sum(), [cell.w])
    codes = codes_of(look_up(cell)[0])
    compiled.clear()
    look_up(Leaky(0.2))
    gc.collect()
    assert all(code() is not None for code in codes)

    torch.testing.assert_close(torch.autograd.grad(output.sum(), [cell.w]), wanted)
    del output
    gc.collect()

    assert all(code() is None for code in codes)


def test_clear_frees_all(compilations):
    codes = [code for rate in (0.1, 0.2) for code in codes_of(look_up(Leaky(rate))[0])]

    compiled.clear()
    gc.collect()

    assert all(code() is None for code in codes)
    look_up(Leaky(0.1))
    assert len(compilations) == 3


def test_what_is_kept_keeps_no_cell_alive():
    cells = [Leaky(), Sorting()]
    watched = [weakref.ref(cell) for cell in cells] + [weakref.ref(cells[0].w)]
    look_up(cells[0])
    with pytest.raises(UnsupportedCellError):
        look_up(cells[1])

    del cells
    gc.collect()

    assert [watch() for watch in watched] == [None, None, None]
    assert len(compiled._cache) == 2


# --- refused, and by many at once


def test_a_refusal_is_kept_with_its_words(compilations):
    found = []
    for _ in range(2):
        with pytest.raises(UnsupportedCellError) as caught:
            look_up(Sorting())
        found.append((caught.value.message, caught.value.hint))

    assert found[0] == found[1]
    assert "sort" in found[0][0]
    assert "test_compiled.py" in found[0][0]
    assert compilations == ["Sorting"]


def test_a_refusal_is_forgotten_like_a_step(monkeypatch, compilations):
    monkeypatch.setattr(compiled, "MAX_COMPILED", 1)
    for _ in range(2):
        with pytest.raises(UnsupportedCellError):
            look_up(Sorting())
        look_up(Leaky())

    assert compilations == ["Sorting", "Leaky"] * 2


def test_threads_that_ask_at_once_compile_once(compilations):
    found, cell = [], Leaky()
    start = threading.Barrier(4)

    def ask():
        start.wait()
        found.append(look_up(cell)[0])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({id(step) for step in found}) == 1
    assert compilations == ["Leaky"]
