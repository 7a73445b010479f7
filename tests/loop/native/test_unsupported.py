"""What cannot be compiled is refused with the operation and the cell's line, or run eagerly with one warning."""

import inspect
import warnings

import pytest
import torch
from torch.nn import functional as F

from recurra.errors import EngineFallbackWarning, UnsupportedCellError
from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, D
from tests.loop.native.own_cells import build_x

ELSEWHERE = torch.linspace(-1, 1, 4, dtype=D)


class Base(torch.nn.Module):
    state_size = 4

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.w = torch.nn.Parameter(torch.randn(4, 4, dtype=D) / 2)
        self.u = torch.nn.Parameter(torch.randn(3, 4, dtype=D) / 2)
        self.norm = torch.nn.BatchNorm1d(4).double()
        self.register_buffer("count", torch.zeros(4, dtype=D))
        self.calls = 0

    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 4, dtype=D)


class Branching(Base):
    def forward(self, x, h):
        a = x @ self.u + h @ self.w
        if a.sum() > 0:
            return torch.tanh(a)
        return torch.sigmoid(a)


class Reading(Base):
    def forward(self, x, h):
        scale = float(h.detach().abs().max())  # torch warns of what has a gradient, once a process
        return torch.tanh(x @ self.u + h @ self.w) / (1 + scale)


class Ranking(Base):
    def forward(self, x, h):
        a = x @ self.u + h @ self.w
        best = torch.argmax(a, 1, keepdim=True)
        return torch.tanh(a) + best.to(a.dtype) * 0.1


class Sorting(Base):
    def forward(self, x, h):
        return torch.tanh(x @ self.u + torch.sort(h @ self.w, 1).values)


class Normalizing(Base):
    def forward(self, x, h):
        return torch.tanh(self.norm(x @ self.u + h @ self.w))


class OverRows(Base):
    def forward(self, x, h):
        centred = h - h.mean(0)
        return torch.tanh(x @ self.u + centred @ self.w)


class BatchAsNumber(Base):
    def forward(self, x, h):
        return torch.tanh(x @ self.u + h @ self.w / len(h))


class Capturing(Base):
    def forward(self, x, h):
        return torch.tanh(x @ self.u + h @ self.w + ELSEWHERE)


class CountingInBuffer(Base):
    def forward(self, x, h):
        self.count.add_(1)
        return torch.tanh(x @ self.u + h @ self.w) / self.count


class CountingInAttribute(Base):
    def forward(self, x, h):
        self.calls += 1
        return torch.tanh(x @ self.u + h @ self.w) * (1 + 0.1 * self.calls)


class ChangingItsInput(Base):
    def forward(self, x, h):
        a = torch.tanh(x @ self.u + h @ self.w)
        h.mul_(0.5)
        return a


class Convolving(Base):
    def forward(self, x, h):
        return torch.tanh(x @ self.u + F.conv1d(h.unsqueeze(1), self.w[:1, None, :3], padding=1).squeeze(1))


# the class, what its message names, and the line it quotes
REFUSED = {
    Branching: (("branch", "control flow", "depends on", "data-dependent", "item"), "if a.sum() > 0:"),
    Reading: (("number", "depends on", "data-dependent", "item"), "scale = float(h.detach().abs().max())"),
    Ranking: (("argmax",), "best = torch.argmax(a, 1, keepdim=True)"),
    Sorting: (("sort",), "torch.sort(h @ self.w, 1).values"),
    Normalizing: (("batch", "in place", "in-place"), "self.norm(x @ self.u + h @ self.w)"),
    OverRows: (("mean", "sum", "rows"), "h.mean(0)"),
    BatchAsNumber: (("batch",), "len(h)"),
    Capturing: (("tensor",), "ELSEWHERE"),
    CountingInBuffer: (("count", "buffer", "in place", "add_", "copy_"), ""),
    CountingInAttribute: (("calls",), ""),
    ChangingItsInput: (("in place", "mul_", "copy_"), ""),
    Convolving: (("convolution", "conv1d"), "F.conv1d("),
}
cells = pytest.mark.parametrize("kind", REFUSED, ids=lambda kind: kind.__name__)


@cells
def test_native_refuses_and_names_the_operation_and_the_line(kind):
    words, text = REFUSED[kind]

    with pytest.raises(UnsupportedCellError) as caught:
        unroll(kind(), build_x(), engine=ENGINE)

    message = str(caught.value)
    assert kind.__name__ in message
    assert any(word in message.lower() for word in words), message
    assert message.count("\n") <= 1 or "hint:" in message
    assert not caught.value.message.endswith(".")
    if text:
        lines, start = inspect.getsourcelines(kind)
        number = start + next(k for k, line in enumerate(lines) if text in line)
        assert f"test_unsupported.py:{number}" in message
        assert text in message


@cells
def test_native_refuses_again_at_the_second_call(kind):
    cell = kind()

    for _ in range(2):
        with pytest.raises(UnsupportedCellError, match=kind.__name__):
            unroll(cell, build_x(), engine=ENGINE)


def copied(state):
    return None if state is None else state.clone()


@cells
def test_auto_runs_eagerly_and_warns_of_the_same(kind):
    state = torch.full((4, 4), 0.2, dtype=D)
    wanted, wanted_last = unroll(kind(), build_x(), copied(state), engine="eager")
    with pytest.raises(UnsupportedCellError) as caught:
        unroll(kind(), build_x(), copied(state), engine=ENGINE)
    # a class of its own: the one above may have warned in another test
    fresh = type(kind.__name__, (kind,), {})

    with pytest.warns(EngineFallbackWarning) as noted:
        output, last = unroll(fresh(), build_x(), copied(state), engine="auto")

    torch.testing.assert_close(output, wanted, rtol=0, atol=0)
    torch.testing.assert_close(last, wanted_last, rtol=0, atol=0)
    assert len(noted) == 1
    assert caught.value.message in str(noted[0].message)
    assert noted[0].filename == __file__


def call_many_times(cells):
    for cell in cells:
        unroll(cell, build_x(), engine="auto")


def test_the_warning_comes_once_for_a_class():
    one, other = (type(f"Ranking{k}", (Ranking,), {}) for k in "AB")

    with warnings.catch_warnings(record=True) as noted:
        warnings.simplefilter("default")
        call_many_times([one(), one(), other(), one(), other(), other()])

    assert [warning.category for warning in noted] == [EngineFallbackWarning] * 2
    assert "RankingA" in str(noted[0].message)
    assert "RankingB" in str(noted[1].message)


def test_eager_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        unroll(type("Quiet", (Ranking,), {})(), build_x(), engine="eager")


def test_batch_norm_outside_training_is_supported():
    class Averaging(Base):
        def forward(self, x, h):
            return torch.tanh(self.norm(x @ self.u + h @ self.w))

    cell, x = Averaging().eval(), build_x()
    with torch.no_grad():
        cell.norm.running_mean.add_(0.3)
        cell.norm.running_var.mul_(1.7)

    found, _ = unroll(cell, x, engine=ENGINE)

    torch.testing.assert_close(found, unroll(cell, x, engine="eager")[0], rtol=1e-10, atol=1e-12)


def test_a_refusal_for_training_does_not_hold_for_evaluation():
    cell = Normalizing()
    with pytest.raises(UnsupportedCellError):
        unroll(cell, build_x(), engine=ENGINE)

    found, _ = unroll(cell.eval(), build_x(), engine=ENGINE)

    torch.testing.assert_close(found, unroll(cell, build_x(), engine="eager")[0], rtol=1e-10, atol=1e-12)


class Plain(Base):
    def forward(self, x, h):
        return torch.tanh(x @ self.u + h @ self.w)


@pytest.mark.parametrize(
    ("dtype", "words"),
    [(torch.float16, "float16"), (torch.bfloat16, "bfloat16")],
    ids=str,
)
def test_native_refuses_other_types_by_name(dtype, words):
    cell = Plain().to(dtype)
    cell.initial_state = lambda batch_size: torch.zeros(batch_size, 4, dtype=dtype)

    with pytest.raises(UnsupportedCellError, match=rf"Plain.*{words}"):
        unroll(cell, build_x().to(dtype), engine=ENGINE)


def test_native_refuses_mixed_types_and_says_which():
    with pytest.raises(UnsupportedCellError, match=r"Plain.*torch\.float32, torch\.float64"):
        unroll(Plain(), build_x().float(), torch.zeros(4, 4, dtype=D), engine=ENGINE)


def test_native_refuses_tensors_of_a_subclass():
    class Marked(torch.Tensor):
        pass

    with pytest.raises(UnsupportedCellError, match=r"Plain.*subclass"):
        unroll(Plain(), build_x().as_subclass(Marked), engine=ENGINE)


def test_native_refuses_tensors_without_data():
    cell = Plain().to("meta")

    with pytest.raises(UnsupportedCellError, match=r"Plain.*meta"):
        unroll(cell, build_x().to("meta"), torch.zeros(4, 4, dtype=D, device="meta"), engine=ENGINE)


@pytest.mark.filterwarnings("ignore::recurra.errors.EngineFallbackWarning")
def test_an_error_of_the_cell_itself_is_its_own_under_auto():
    class Wrong(Base):
        def forward(self, x, h):
            return torch.tanh(x @ self.w + h)

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        unroll(Wrong(), build_x(), engine="auto")
    with pytest.raises(UnsupportedCellError, match="Wrong"):
        unroll(Wrong(), build_x(), engine=ENGINE)


def test_an_interrupt_while_tracing_is_not_taken_for_a_refusal():
    class Interrupted(Base):
        def forward(self, x, h):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unroll(Interrupted(), build_x(), engine=ENGINE)
