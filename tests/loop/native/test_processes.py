"""Threads, forks and copies: compiled code is shared by threads, survives a fork, and is no part of a module."""

import copy
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import recurra
from recurra.loop import unroll
from tests.loop.native.comparing import ENGINE, as_tuple, assert_same, check_against_eager, run
from tests.loop.native.own_cells import KINDS, Normed, ResetBefore, build, build_x

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.__module__.split('.')[0]}-{kind.__name__}")
LIMIT_S = 60


def fresh_class(number):
    """Make a class that no test has compiled, with an attribute by which its results can be told apart."""

    class Fresh(ResetBefore):
        scale = 0.1 + 0.3 * number

        def forward(self, x, h):
            return super().forward(self.scale * x, h)

    return Fresh


def test_threads_that_compile_different_cells_at_once_get_their_own():
    cells = [build(fresh_class(k)) for k in range(6)]
    start = threading.Barrier(len(cells))
    x = build_x(requires_grad=True)

    def work(cell):
        start.wait(timeout=LIMIT_S)
        return run(cell, x, engine=ENGINE)

    with ThreadPoolExecutor(len(cells)) as pool:
        found = list(pool.map(work, cells, timeout=LIMIT_S))

    for cell, result in zip(cells, found, strict=True):
        assert_same(result, run(cell, x, engine="eager"))
    outputs = [result.values["output"] for result in found]
    assert all(not torch.allclose(outputs[0], other) for other in outputs[1:])


def test_threads_that_share_one_cell_get_equal_results():
    cell = build(fresh_class(7))
    xs = [build_x(3 + k, 2 + k, seed=k, requires_grad=True) for k in range(4)]
    start = threading.Barrier(len(xs))

    def work(x):
        start.wait(timeout=LIMIT_S)
        return [run(cell, x, engine=ENGINE) for _ in range(20)]

    with ThreadPoolExecutor(len(xs)) as pool:
        found = list(pool.map(work, xs, timeout=LIMIT_S))

    for x, results in zip(xs, found, strict=True):
        wanted = run(cell, x, engine="eager")
        for result in results:
            assert_same(result, wanted)


def test_a_thread_may_use_the_cell_while_others_trace():
    cell, x = build(ResetBefore), build_x(requires_grad=True)
    wanted, done, seen = run(cell, x, engine="eager"), threading.Event(), []

    def use():
        while not done.is_set():
            # in the plain loop, on the live module, which a trace must not have replaced tensors in
            seen.append(run(cell, x, engine="eager"))

    user = threading.Thread(target=use)
    user.start()
    try:
        for k in range(3):
            twin = build(fresh_class(10 + k))
            twin.gates, twin.candidate = cell.gates, cell.candidate
            check_against_eager(twin, x)
    finally:
        done.set()
        user.join(timeout=LIMIT_S)

    assert seen
    for result in seen:
        assert_same(result, wanted, rtol=0, atol=1e-13)


def work_in_child(pipe, cell, x):
    # torch's own operations cannot use their threads in a fork; torch's data loader does the same in its workers
    torch.set_num_threads(1)
    result = run(cell, x, engine=ENGINE)
    other = run(build(fresh_class(99)), x, engine=ENGINE)
    pipe.send([(r.values["output"].numpy(), r.gradients["x[0]"].numpy()) for r in (result, other)])
    pipe.close()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # newer Pythons warn of any fork with threads
def test_a_forked_child_runs_what_was_compiled_and_compiles_anew():
    cell, x = build(Normed), build_x(6, 24, requires_grad=True)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        wanted = run(cell, x, engine=ENGINE)
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        child = context.Process(target=work_in_child, args=(sender, cell, x))
        child.start()
        sender.close()
        try:
            answered = receiver.poll(LIMIT_S)
            found = receiver.recv() if answered else None
            child.join(LIMIT_S)
        finally:
            if child.is_alive():
                child.kill()
        assert answered, "the child has not answered"
        # the parent's threads still work
        again = run(cell, x, engine=ENGINE)
    finally:
        torch.set_num_threads(before)

    assert child.exitcode == 0
    other = run(build(fresh_class(99)), x, engine="eager")
    for (output, d_x), result in zip(found, (wanted, other), strict=True):
        torch.testing.assert_close(torch.from_numpy(output), result.values["output"], rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(torch.from_numpy(d_x), result.gradients["x[0]"], rtol=1e-9, atol=1e-11)
    assert_same(again, wanted, rtol=0, atol=0)


@kinds
def test_a_cell_pickles_and_copies_after_use_as_before(kind):
    cell, x = build(kind), build_x(requires_grad=True)
    before, keys = pickle.dumps(cell), set(vars(cell))
    wanted = run(cell, x, engine=ENGINE)

    assert set(vars(cell)) == keys
    assert len(pickle.dumps(cell)) == len(before)
    for twin in (copy.deepcopy(cell), copy.copy(cell), pickle.loads(pickle.dumps(cell)), pickle.loads(before)):
        found = run(twin, x, engine=ENGINE)
        torch.testing.assert_close(found.values, wanted.values, rtol=0, atol=0)
        torch.testing.assert_close(found.gradients, wanted.gradients, rtol=0, atol=0)


def test_a_copy_is_independent_of_its_original():
    cell, x = build(ResetBefore), build_x()
    wanted, _ = unroll(cell, x, engine=ENGINE)
    twin = copy.deepcopy(cell)

    with torch.no_grad():
        twin.gates.weight.zero_()

    assert not torch.allclose(unroll(twin, x, engine=ENGINE)[0], wanted)
    torch.testing.assert_close(unroll(cell, x, engine=ENGINE)[0], wanted, rtol=0, atol=0)


@pytest.mark.parametrize("make", [lambda: recurra.LSTM(3, 4, 2, engine=ENGINE), lambda: recurra.Recurrent("gru", 3, 4)])
def test_a_layer_pickles_copies_and_saves_after_use_as_before(make):
    torch.manual_seed(0)
    layer, x = make().double(), build_x()
    before, names = pickle.dumps(layer), list(layer.state_dict())
    output, last = layer(x)
    output.sum().backward()
    layer.zero_grad()

    assert list(layer.state_dict()) == names
    assert len(pickle.dumps(layer)) == len(before)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        found, found_last = twin(x)
        assert torch.equal(found, output)
        assert all(map(torch.equal, as_tuple(found_last), as_tuple(last)))


def test_many_cells_that_come_and_go_do_not_pile_up():
    # more than any cache should hold; each is compared, so that one's code is not taken for another's
    x = build_x(2, 3)
    for k in range(24):
        cell = build(fresh_class(200 + k))
        with torch.no_grad():
            found = unroll(cell, x, engine=ENGINE)[0]
            torch.testing.assert_close(found, unroll(cell, x, engine="eager")[0], rtol=1e-9, atol=1e-11)
