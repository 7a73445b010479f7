import pytest
import torch
from torch.nn import functional

from recurra.loop.memory import pool
from recurra.models import cross_entropy, linear_cross_entropy


def build(num_rows=7, width=5, num_classes=11, *, dtype=torch.float64, scale=1.0, has_bias=True):
    generator = torch.Generator().manual_seed(3)
    input = torch.randn(num_rows, width, generator=generator, dtype=dtype)
    weight = scale * torch.randn(num_classes, width, generator=generator, dtype=dtype)
    bias = torch.randn(num_classes, generator=generator, dtype=dtype) if has_bias else None
    targets = torch.randint(0, num_classes, (num_rows,), generator=generator)
    tensors = [tensor.requires_grad_() for tensor in (input, weight, bias) if tensor is not None]
    return tensors, targets


def ours(tensors, targets):
    return linear_cross_entropy(*tensors[:2], tensors[2] if len(tensors) > 2 else None, targets)


def by_torch(tensors, targets):
    tensors = [tensor.double() for tensor in tensors]
    return functional.cross_entropy(functional.linear(*tensors), targets, reduction="none")


def refuse(*arguments):
    raise AssertionError("torch's own operations were taken")


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("sizes", [(7, 5, 11), (1, 3, 2), (4, 2, 1), (33, 17, 1003), (3, 4, 20_001), (0, 3, 5)])
def test_costs_and_gradients_are_those_of_torch(sizes, has_bias, monkeypatch):
    tensors, targets = build(*sizes, has_bias=has_bias)
    factors = torch.linspace(-1, 2, sizes[0], dtype=torch.float64)
    expected = by_torch(tensors, targets)
    wanted = torch.autograd.grad(expected, tensors, factors)
    monkeypatch.setattr(cross_entropy, "_plain", refuse)

    nll = ours(tensors, targets)

    torch.testing.assert_close(nll, expected, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.autograd.grad(nll, tensors, factors), wanted, rtol=1e-10, atol=1e-12)
    with torch.no_grad():
        torch.testing.assert_close(ours(tensors, targets), expected, rtol=1e-12, atol=1e-12)


def test_float32_is_as_good_as_that_of_torch():
    tensors, targets = build(50, 40, 3000, dtype=torch.float32, scale=2.0)
    expected = by_torch(tensors, targets)
    wanted = torch.autograd.grad(expected.sum(), tensors)

    nll = ours(tensors, targets)

    assert nll.dtype == torch.float32
    torch.testing.assert_close(nll.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(torch.autograd.grad(nll.sum(), tensors), wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_costs_that_no_probability_can_show_are_right(dtype):
    tensors, targets = build(20, 5, 30, dtype=dtype, scale=1000.0)
    expected = by_torch(tensors, targets)
    wanted = torch.autograd.grad(expected.sum(), tensors)

    nll = ours(tensors, targets)

    assert expected.max() > 1000
    torch.testing.assert_close(nll.double(), expected, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(torch.autograd.grad(nll.sum(), tensors), wanted, rtol=1e-4, atol=1e-2)


def test_no_cost_is_below_zero():
    tensors, _ = build(400, 5, 30, dtype=torch.float32, scale=20.0)
    likeliest = functional.linear(*tensors).argmax(1)

    assert (ours(tensors, likeliest) >= 0).all()


def test_a_symbol_that_a_bias_forbids_costs_everything_and_spoils_nothing():
    tensors, _ = build(3, dtype=torch.float64)
    with torch.no_grad():
        tensors[2][4] = -torch.inf

    nll = ours(tensors, torch.tensor([4, 1, 2]))

    torch.testing.assert_close(nll, by_torch(tensors, torch.tensor([4, 1, 2])), rtol=1e-12, atol=1e-12)
    assert nll.isinf().tolist() == [True, False, False]


def test_nan_stays_visible():
    tensors, targets = build(3)
    with torch.no_grad():
        tensors[0][1, 0] = torch.nan

    nll = ours(tensors, targets)

    assert nll.isnan().tolist() == [False, True, False]


@pytest.mark.parametrize("has_bias", [True, False])
def test_first_and_second_derivatives_are_those_of_differences(has_bias):
    tensors, targets = build(4, 3, 5, has_bias=has_bias)

    assert torch.autograd.gradcheck(lambda *given: ours(given, targets), tensors)
    assert torch.autograd.gradgradcheck(lambda *given: ours(given, targets), tensors)


@pytest.mark.parametrize("frozen", [0, 1, 2])
def test_a_tensor_without_gradient_gets_none(frozen):
    tensors, targets = build()
    tensors[frozen].requires_grad_(False)
    rest = [tensor for tensor in tensors if tensor.requires_grad]
    wanted = torch.autograd.grad(by_torch(tensors, targets).sum(), rest)

    ours(tensors, targets).sum().backward()

    assert tensors[frozen].grad is None
    torch.testing.assert_close([tensor.grad for tensor in rest], list(wanted))


def test_the_graph_can_be_used_twice():
    tensors, targets = build()
    nll = ours(tensors, targets)
    first = torch.autograd.grad(nll.sum(), tensors, retain_graph=True)

    ours(tensors, targets).sum().backward()
    second = torch.autograd.grad(nll.sum(), tensors)

    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_two_graphs_at_once_do_not_share_memory():
    tensors, targets = build(300, 5, 1000)
    others = (targets + 1) % 1000
    wanted = [torch.autograd.grad(by_torch(tensors, each).sum(), tensors) for each in (targets, others)]

    first, second = ours(tensors, targets), ours(tensors, others)

    torch.testing.assert_close(torch.autograd.grad(second.sum(), tensors), wanted[1])
    torch.testing.assert_close(torch.autograd.grad(first.sum(), tensors), wanted[0])


def logits_kept(tensors, targets):
    """The addresses of what one training step keeps of the logits' size."""
    places = []

    def pack(tensor):
        if tensor.shape == (len(targets), len(tensors[1])):
            places.append(tensor.data_ptr())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        nll = ours(tensors, targets)
    nll.sum().backward()
    return places


def test_the_next_step_uses_the_memory_of_the_last_one():
    tensors, targets = build(300, 5, 1000)
    pool.clear()

    steps, others = [], []
    for _ in range(3):
        steps.append(logits_kept(tensors, targets))
        # takes the place of what was given back to the system
        others.append(torch.empty(300, 1000, dtype=torch.float64))

    assert len(steps[0]) == 1
    assert steps == [steps[0]] * 3


def test_a_weight_changed_before_backward_is_noticed():
    tensors, targets = build()
    nll = ours(tensors, targets)
    with torch.no_grad():
        tensors[1].mul_(2)

    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        nll.sum().backward()


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients_memory_does_not_grow_with_the_inputs(mode, dtype, monkeypatch):
    tensors, targets = build(30, 5, 11)
    expected = by_torch(tensors, targets).detach()
    tensors = [tensor.detach().to(dtype) for tensor in tensors]
    if dtype == torch.bfloat16:
        expected = by_torch(tensors, targets)
    sizes, fill, plain = [], cross_entropy._nll, cross_entropy._plain

    def note(work):
        return lambda input, *others: (sizes.append(len(input)), work(input, *others))[1]

    monkeypatch.setattr(cross_entropy, "_nll", note(fill))
    monkeypatch.setattr(cross_entropy, "_plain", note(plain))
    monkeypatch.setattr(cross_entropy, "MAX_LOGIT_BYTES", 11 * dtype.itemsize * 8)

    with mode():
        nll = ours(tensors, targets)

    assert sizes == [8, 8, 8, 6]
    assert not nll.requires_grad
    torch.testing.assert_close(nll, expected.to(nll.dtype), rtol=1e-5 if dtype == torch.float64 else 0.02, atol=0.02)


@pytest.mark.parametrize("wanted", [True, False])
@pytest.mark.parametrize(("target", "named"), [(-1, -1), (11, 11), (-100, -100)])
def test_a_target_that_is_none_raises_as_torch_does(target, named, wanted):
    tensors, targets = build()
    targets[3] = target
    if target != -100:  # torch's mark for what it leaves out
        with pytest.raises(IndexError, match=f"Target {named} is out of bounds"):
            by_torch(tensors, targets)

    with torch.set_grad_enabled(wanted), pytest.raises(IndexError, match=rf"Target {named} is out of bounds\."):
        ours(tensors, targets)


def test_bfloat16_takes_the_operations_of_torch_and_gives_float32_costs():
    tensors, targets = build(dtype=torch.bfloat16)
    wanted = torch.autograd.grad(by_torch(tensors, targets).sum(), tensors)

    nll = ours(tensors, targets)

    assert nll.dtype == torch.float32
    torch.testing.assert_close(torch.autograd.grad(nll.sum(), tensors), wanted, rtol=0.05, atol=0.05)


def test_autocast_takes_the_operations_of_torch():
    tensors, targets = build(dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = functional.linear(*tensors)
        nll = ours(tensors, targets)

    assert logits.dtype == torch.bfloat16
    expected = functional.cross_entropy(logits.float(), targets, reduction="none")
    torch.testing.assert_close(nll, expected, rtol=0, atol=0)


def test_other_devices_take_the_operations_of_torch():
    tensors, targets = build()

    nll = ours([tensor.to("meta") for tensor in tensors], targets.to("meta"))

    assert nll.device.type == "meta"
    assert nll.shape == targets.shape


def test_subclasses_of_tensors_take_the_operations_of_torch(monkeypatch):
    class Marked(torch.Tensor):
        pass

    tensors, targets = build()
    monkeypatch.setattr(cross_entropy, "_nll", refuse)

    nll = ours([tensor.as_subclass(Marked) for tensor in tensors], targets)

    assert type(nll) is Marked
    torch.testing.assert_close(nll.as_subclass(torch.Tensor), by_torch(tensors, targets))


def test_transformations_of_torch_see_through_it():
    tensors, targets = build()
    wanted = torch.autograd.grad(by_torch(tensors, targets).sum(), tensors)

    found = torch.func.grad(lambda *given: ours(given, targets).sum(), argnums=(0, 1, 2))(*tensors)

    torch.testing.assert_close(found, wanted)


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")  # torch's own rules are such scripts
def test_forward_derivatives_are_those_of_torch():
    tensors, targets = build()
    tensors = tuple(tensor.detach() for tensor in tensors)
    directions = tuple(torch.ones_like(tensor) for tensor in tensors)
    nll, jacobian = by_torch(tensors, targets), torch.func.jacrev(lambda *given: by_torch(given, targets), (0, 1, 2))

    with torch.autograd.forward_ad.dual_level():
        duals = [torch.autograd.forward_ad.make_dual(*pair) for pair in zip(tensors, directions, strict=True)]
        found = torch.autograd.forward_ad.unpack_dual(ours(duals, targets))

    wanted = sum(part.flatten(1).sum(1) for part in jacobian(*tensors))
    torch.testing.assert_close(found.primal, nll)
    torch.testing.assert_close(found.tangent, wanted)


def test_several_gradients_at_once_are_each_right():
    tensors, targets = build(4)
    directions = torch.eye(4, dtype=torch.float64)
    wanted = torch.stack([torch.autograd.grad(by_torch(tensors, targets)[k], tensors[1])[0] for k in range(4)])

    (found,) = torch.autograd.grad(ours(tensors, targets), tensors[1], directions, is_grads_batched=True)

    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize(("limit", "name"), [(0, "_LinearCrossEntropyBackward"), (4 * 6 * 5 + 1, "NllLossBackward0")])
def test_few_logits_are_left_to_torch(monkeypatch, limit, name):
    monkeypatch.setattr("recurra.models.cross_entropy.MIN_LOGIT_BYTES", limit)
    weight = torch.randn(5, 3, requires_grad=True)

    nll = linear_cross_entropy(torch.randn(6, 3), weight, None, torch.tensor([0, 1, 2, 3, 4, 0]))

    assert type(nll.grad_fn).__name__ == name
