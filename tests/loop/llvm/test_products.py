"""The product of rows with a packed matrix: right to the last bit, on every target, and within its memory."""

from __future__ import annotations

import ctypes
import dataclasses
import faulthandler
import functools
import os
import platform
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ShapeError
from recurra.loop.llvm.jit import TARGETS, assembly, host_target
from recurra.loop.llvm.packing import num_panels, packed_size
from recurra.loop.llvm.products import DEPTH_BLOCK, build_kernels, kernel_module, kernels, pack_matrix
from tests.oracles.ordered_products import summed_in_order
from tests.support.guarded import guarded, guarded_copy

DTYPES = [torch.float32, torch.float64]
COLUMNS = [1, 7, 15, 16, 17, 63, 64, 65, 100, 200]
FORMS = ["null", "one_row", "rows", "same"]
ADDRESS = ctypes.c_int64

dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
sides = pytest.mark.parametrize("at", ["end", "start"])


@functools.cache
def built(target, item_bytes):
    return kernels(item_bytes) if target == host_target() else build_kernels(item_bytes, target)


def pack(matrix, target=None, packed=None):
    target = target or host_target()
    (num_rows, num_columns), item_bytes = matrix.shape, matrix.element_size()
    if packed is None:
        packed = torch.full((packed_size(num_rows, num_columns, target, item_bytes),), torch.nan, dtype=matrix.dtype)
    function = ctypes.CFUNCTYPE(None, *[ADDRESS] * 8)(built(target, item_bytes).pack)
    panels = num_panels(num_columns, target, item_bytes)
    function(matrix.data_ptr(), *matrix.stride(), num_rows, num_columns, packed.data_ptr(), 0, panels)
    return packed


def product(a, packed, num_columns, c, init=None, target=None):
    """Call the kernel; an ``init`` of one dimension is a row for all."""
    depth, rows = a.shape[1], a.shape[0]
    initial = (0, 0) if init is None else (init.data_ptr(), init.stride(0) if init.ndim == 2 else 0)
    function = ctypes.CFUNCTYPE(None, *[ADDRESS] * 10)(built(target or host_target(), a.element_size()).product)
    function(
        a.data_ptr(), a.stride(0), packed.data_ptr(), depth, num_columns, *initial, c.data_ptr(), c.stride(0), rows
    )
    return c


def multiply(a, matrix, init=None, target=None):
    c = torch.full((a.shape[0], matrix.shape[1]), torch.nan, dtype=a.dtype)
    return product(a, pack(matrix, target), matrix.shape[1], c, init, target)


def integers(*shape, dtype=torch.float64, seed=0):
    """Small whole numbers: whatever the order, sums of their products are exact."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, shape, generator=generator).to(dtype)


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def expected_bits(a, matrix, init, target=None):
    return summed_in_order(a, matrix, init, fused=has_fma(target or host_target()))


def has_fma(target):
    return target.triple.startswith(("aarch64", "arm64")) or "+fma" in target.features.split(",")


def strided(matrix, layout):
    """Return the same matrix in another order of memory."""
    if layout == "transposed":
        return matrix.t().contiguous().t()
    if layout == "spread":
        return torch.stack([matrix, matrix + 1], dim=-1)[..., 0]
    if layout == "row slice":
        return torch.cat([matrix + 1, matrix, matrix + 2], dim=1)[:, matrix.shape[1] : 2 * matrix.shape[1]]
    return matrix.contiguous()


layouts = pytest.mark.parametrize("layout", ["rows", "transposed", "spread", "row slice"])


# --- the numbers


@dtypes
@pytest.mark.parametrize("num_columns", COLUMNS)
@pytest.mark.parametrize("depth", [0, 1, 2, 7])
def test_products_of_whole_numbers_are_exact(dtype, num_columns, depth):
    matrix, bias = integers(depth, num_columns, dtype=dtype, seed=1), integers(num_columns, dtype=dtype, seed=2)
    packed = pack(matrix)
    for num_rows in range(14):
        a = integers(num_rows, depth, dtype=dtype, seed=3 + num_rows)
        c = torch.full((num_rows, num_columns), torch.nan, dtype=dtype)

        product(a, packed, num_columns, c, bias)

        assert torch.equal(c, a @ matrix + bias)


@dtypes
@pytest.mark.parametrize(("num_rows", "depth", "num_columns"), [(1, 9, 5), (5, 30, 17), (7, 6, 70), (13, 21, 8)])
def test_terms_are_added_in_order(dtype, num_rows, depth, num_columns):
    a, matrix = normal(num_rows, depth, dtype=dtype), normal(depth, num_columns, dtype=dtype, seed=1)
    init = normal(num_rows, num_columns, dtype=dtype, seed=2)

    c = multiply(a, matrix, init)

    assert torch.equal(c, expected_bits(a, matrix, init))


@dtypes
def test_long_sums_are_added_in_order(dtype):
    depth = 2 * DEPTH_BLOCK + 5
    a, matrix = normal(7, depth, dtype=dtype), normal(depth, 3, dtype=dtype, seed=1)

    c = multiply(a, matrix)

    assert torch.equal(c, expected_bits(a, matrix, torch.zeros(7, 3, dtype=dtype)))


@dtypes
@pytest.mark.parametrize(("depth", "num_columns"), [(33, 100), (DEPTH_BLOCK + 3, 70)])
def test_a_row_is_the_same_whatever_the_other_rows(dtype, depth, num_columns):
    a, matrix = normal(40, depth, dtype=dtype), normal(depth, num_columns, dtype=dtype, seed=1)
    packed, bias = pack(matrix), normal(num_columns, dtype=dtype, seed=2)
    alone = torch.cat(
        [product(row[None], packed, num_columns, torch.empty(1, num_columns, dtype=dtype), bias) for row in a]
    )

    for num_rows in (*range(1, 15), 40):
        for first in {0, 40 - num_rows}:
            c = torch.empty(num_rows, num_columns, dtype=dtype)
            product(a[first : first + num_rows], packed, num_columns, c, bias)
            assert torch.equal(c, alone[first : first + num_rows])


@dtypes
def test_a_column_is_the_same_whatever_the_other_columns(dtype):
    a, matrix = normal(7, 50, dtype=dtype), normal(50, 100, dtype=dtype, seed=1)
    whole = multiply(a, matrix)

    for first, last in ((0, 1), (3, 20), (63, 65), (16, 100)):
        assert torch.equal(multiply(a, matrix[:, first:last]), whole[:, first:last])


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(DTYPES),
    num_rows=st.integers(0, 30),
    depth=st.integers(0, 40),
    num_columns=st.integers(1, 210),
    gaps=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    form=st.sampled_from(FORMS),
    layout=st.sampled_from(["rows", "transposed", "spread", "row slice"]),
)
def test_any_sizes_strides_and_initial_values(dtype, num_rows, depth, num_columns, gaps, form, layout):
    a = integers(num_rows, depth + gaps[0], dtype=dtype)[:, :depth]
    matrix = strided(integers(depth, num_columns, dtype=dtype, seed=1), layout)
    field = torch.full((num_rows, num_columns + gaps[1]), 77.0, dtype=dtype)
    c = field[:, :num_columns]
    init = {
        "null": None,
        "one_row": integers(num_columns, dtype=dtype, seed=2),
        "rows": integers(num_rows, num_columns + 3, dtype=dtype, seed=3)[:, :num_columns],
        "same": c,
    }[form]
    expected = a @ matrix + (0 if init is None else init)

    product(a, pack(matrix), num_columns, c, init)

    assert torch.equal(c, expected)
    assert bool((field[:, num_columns:] == 77).all())


def test_infinite_and_missing_numbers_stay_in_their_row_and_column():
    a, matrix = torch.ones(3, 4), torch.ones(4, 5)
    a[1, 2], matrix[0, 4] = torch.inf, torch.nan

    c = multiply(a, matrix)

    assert torch.equal(c[[0, 2], :4], torch.full((2, 4), 4.0))
    assert torch.equal(c[1, :4], torch.full((4,), torch.inf))
    assert bool(c[:, 4].isnan().all())


# --- targets


def runs_here(name):
    if platform.machine() not in ("x86_64", "AMD64") or platform.system() != "Linux":
        return False
    return name == "plain" or torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")


@dtypes
@pytest.mark.parametrize("name", ["avx2", "plain"])
def test_narrower_targets_add_terms_in_order(name, dtype):
    if not runs_here(name):
        pytest.skip(f"this machine cannot run code for {name}")
    target = TARGETS[name]
    for num_rows, depth, num_columns in ((1, 5, 1), (6, 9, 17), (11, DEPTH_BLOCK + 1, 5), (4, 0, 7)):
        a, matrix = normal(num_rows, depth, dtype=dtype), normal(depth, num_columns, dtype=dtype, seed=1)
        zeros, bias = torch.zeros(num_columns, dtype=dtype), normal(num_columns, dtype=dtype, seed=2)
        for init, start in ((None, zeros), (bias, bias)):
            expected = expected_bits(a, matrix, start.expand(num_rows, num_columns), target)
            assert torch.equal(multiply(a, matrix, init, target), expected)
            assert torch.equal(multiply(a, strided(matrix, "transposed"), init, target), expected)


@dtypes
def test_other_tile_shapes_give_the_same_bits(dtype):
    a, matrix = normal(13, 40, dtype=dtype), normal(40, 100, dtype=dtype, seed=1)
    target = dataclasses.replace(host_target(), tile_rows=2, tile_vectors=2)

    assert torch.equal(multiply(a, matrix, target=target), multiply(a, matrix))


@pytest.mark.parametrize("item_bytes", [4, 8])
def test_neon_code_multiplies_and_adds_in_vectors(item_bytes):
    text = assembly(kernel_module(item_bytes, TARGETS["neon"]), TARGETS["neon"])

    lanes = f"{16 // item_bytes}{'s' if item_bytes == 4 else 'd'}"
    assert f".{lanes}, v" in text
    assert "fmla\t" in text
    assert "bl\tfma" not in text


# --- memory


@dtypes
@sides
@pytest.mark.parametrize("num_columns", [1, 16, 17, 63, 100])
@pytest.mark.parametrize("num_rows", [1, 3, 6, 7, 13])
def test_nothing_outside_the_operands_is_touched(dtype, at, num_columns, num_rows):
    depth = 7
    a = integers(num_rows, depth, dtype=dtype)
    matrix = integers(depth, num_columns, dtype=dtype, seed=1)
    packed = guarded_copy(pack(matrix), at)
    bias, rows = integers(num_columns, dtype=dtype, seed=2), integers(num_rows, num_columns, dtype=dtype, seed=3)
    for init in (None, guarded_copy(bias, at), guarded_copy(rows, at)):
        c = guarded((num_rows, num_columns), dtype, at)

        product(guarded_copy(a, at), packed, num_columns, c, init)

        assert torch.equal(c, a @ matrix + (0 if init is None else init))


@dtypes
@sides
def test_nothing_outside_the_operands_is_touched_in_long_sums(dtype, at):
    a, matrix = integers(8, DEPTH_BLOCK + 3, dtype=dtype), integers(DEPTH_BLOCK + 3, 17, dtype=dtype, seed=1)
    c = guarded((8, 17), dtype, at)

    product(guarded_copy(a, at), guarded_copy(pack(matrix), at), 17, c)

    assert torch.equal(c, a @ matrix)


@dtypes
@sides
def test_gaps_between_rows_are_not_touched(dtype, at):
    num_rows, depth, num_columns = 7, 5, 17
    # the memory ends with the last number of the last row
    a_memory, c_memory = (guarded((6 * 40 + width,), dtype, at).fill_(5) for width in (depth, num_columns))
    a = a_memory.as_strided((num_rows, depth), (40, 1))
    c = c_memory.as_strided((num_rows, num_columns), (40, 1))
    a.copy_(integers(num_rows, depth, dtype=dtype))
    matrix = integers(depth, num_columns, dtype=dtype, seed=1)

    product(a, pack(matrix), num_columns, c)

    assert torch.equal(c, a @ matrix)
    assert bool((c_memory.as_strided((num_rows - 1, 40 - num_columns), (40, 1), num_columns) == 5).all())


@dtypes
@sides
@layouts
@pytest.mark.parametrize("shape", [(1, 1), (16, 16), (17, 33), (40, 100), (3, 64), (33, 5)])
def test_packing_touches_nothing_outside_its_operands(dtype, at, layout, shape):
    values = integers(*shape, dtype=dtype)
    template = strided(values, layout)
    # from the matrix's first number to its last
    span = 1 + sum((size - 1) * stride for size, stride in zip(shape, template.stride(), strict=True))
    matrix = guarded((span,), dtype, at).as_strided(shape, template.stride())
    matrix.copy_(values)
    target = host_target()
    packed = guarded((packed_size(*shape, target, dtype.itemsize),), dtype, at)

    pack(matrix, packed=packed)

    assert torch.equal(packed, pack(values))


@sides
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_guarded_memory_stops_who_goes_too_far(at):
    tensor = guarded((3,), torch.float32, at)
    beyond = tensor.data_ptr() + (12 if at == "end" else -4)
    child = os.fork()
    if child == 0:
        faulthandler.disable()
        ctypes.c_float.from_address(beyond).value  # noqa: B018
        os._exit(0)

    _, status = os.waitpid(child, 0)

    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) in (signal.SIGSEGV, signal.SIGBUS)


# --- panels


@dtypes
@layouts
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (5, 7), (16, 64), (35, 17), (18, 150), (64, 128)])
def test_panels_hold_the_matrix_and_zeros(dtype, layout, shape):
    matrix = normal(*shape, dtype=dtype)
    lanes, tile_vectors = host_target().lanes(dtype.itemsize), host_target().tile_vectors
    filled = torch.nn.functional.pad(matrix, (0, -shape[1] % lanes))
    expected = torch.cat([panel.reshape(-1) for panel in filled.split(lanes * tile_vectors, dim=1)])

    assert torch.equal(pack_matrix(strided(matrix, layout)), expected)


def test_overlapping_and_repeated_rows_can_be_packed():
    row = normal(20, dtype=torch.float32)
    windows = row.unfold(0, 17, 1)  # (4, 17), rows overlap: both strides are 1

    assert torch.equal(pack_matrix(windows), pack_matrix(windows.contiguous()))
    assert torch.equal(pack_matrix(row.expand(9, 20)), pack_matrix(row.expand(9, 20).contiguous()))


@dtypes
@pytest.mark.parametrize("transposed", [False, True])
def test_panels_are_the_same_for_any_number_of_threads(dtype, transposed):
    matrix = normal(300, 401, dtype=dtype)
    matrix = strided(matrix, "transposed") if transposed else matrix

    one, two, many = (pack_matrix(matrix, num_threads) for num_threads in (1, 2, 5))

    assert torch.equal(one, pack(matrix))
    assert torch.equal(two, one)
    assert torch.equal(many, one)


@pytest.mark.parametrize(
    ("matrix", "got"),
    [
        (torch.zeros(3), r"got \(3,\), torch.float32 on cpu"),
        (torch.zeros(3, 0), r"got \(3, 0\), torch.float32 on cpu"),
        (torch.zeros(3, 2, dtype=torch.int64), r"got \(3, 2\), torch.int64 on cpu"),
        (torch.zeros(3, 2, device="meta"), r"got \(3, 2\), torch.float32 on meta"),
    ],
)
def test_a_matrix_that_cannot_be_packed_is_refused(matrix, got):
    with pytest.raises(ShapeError, match=r"^pack_matrix expected matrix of shape \(K, N\) with N >= 1, .*" + got):
        pack_matrix(matrix)


# --- compiling


def test_kernels_are_compiled_once_for_all_threads():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: kernels(4), range(8)))

    assert all(one is found[0] for one in found)
    assert kernels(8) is not found[0]
