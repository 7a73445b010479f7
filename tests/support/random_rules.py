"""The rules that write the lines of a random cell; see :mod:`tests.support.random_cells`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hypothesis import strategies as st

LARGEST = 3.0
"""A value whose estimated size is above this is squashed before it is used again."""
ODD = (0.37, -0.61, 1.13, 0.083, -1.29)


@dataclass(frozen=True)
class Value:
    """A (B, width) value of the step, and a rough estimate of how large it gets."""

    name: str
    width: int
    size: float


class Writer:
    """Collects the lines of a cell while a strategy draws them."""

    def __init__(self, draw: Callable) -> None:
        self.draw = draw
        self.set_up: list[str] = []
        self.lines: list[str] = []
        self.values: list[Value] = []
        self.unused: list[Value] = []
        self.rules: list[str] = []

    def choose(self, choices):
        return self.draw(st.sampled_from(choices))

    def odd(self) -> float:
        return self.choose(ODD)

    def tensor(self, prefix: str, text: str) -> str:
        name = f"{prefix}{len(self.set_up)}"
        self.set_up.append(text.format(name=name))
        return f"self.{name}"

    def weight(self, *shape: int, fan_in: int = 1) -> str:
        scale = round(0.7 / fan_in**0.5, 4)
        sizes = ", ".join(map(str, shape)) or "()"
        return self.tensor("w", f"self.{{name}} = torch.nn.Parameter(torch.randn({sizes}) * {scale})")

    def mask(self, *shape: int) -> str:
        sizes = ", ".join(map(str, shape))
        return self.tensor("m", f'self.register_buffer("{{name}}", (torch.rand({sizes}) < 0.7).float())')

    def constant(self) -> str:
        return self.tensor("k", f"self.{{name}} = {self.odd()}")

    def add(self, text: str, width: int, size: float) -> Value:
        if size > LARGEST:
            text = self.choose(("torch.tanh({})", "torch.sigmoid({})", "F.softsign({})")).format(text)
            size = 1.0
        value = Value(f"v{len(self.lines)}", width, size)
        self.lines.append(f"{value.name} = {text}")
        self.values.append(value)
        self.unused.append(value)
        return value

    def pick(self) -> Value:
        # every second time a value that nothing uses yet, so that few lines are dead
        fresh = self.unused and self.draw(st.booleans())
        value = self.choose(self.unused if fresh else self.values)
        self.unused = [other for other in self.unused if other is not value]
        return value

    def fit(self, value: Value, width: int) -> str:
        """Say ``value`` at another width."""
        name = value.name
        if value.width == width:
            return name
        if value.width == 1:
            return self.choose((f"{name}.expand(-1, {width})", f"{name}.repeat(1, {width})"))
        if value.width > width:
            last = value.width - width
            return self.choose((f"{name}[:, :{width}]", f"{name}[:, {last}:]", f"{name}.narrow(1, {last}, {width})"))
        if value.width * 2 >= width:
            return f"torch.cat(({name}, {name}[:, : {width - value.width}]), 1)"
        return f"F.pad({name}, (0, {width - value.width}))"


# --- pointwise rules: text of one line, and how large the result gets; {k} is an odd constant ---

UNARY = {
    "tanh": ("torch.tanh({a})", 1),
    "sigmoid": ("torch.sigmoid({a})", 1),
    "sin": ("torch.sin({a})", 1),
    "cos": ("torch.cos({k} * {a})", 1),
    "softplus": ("F.softplus({a})", 3),
    "softplus-beta": ("F.softplus({a}, beta=2.0, threshold=15.0)", 3),
    "silu": ("F.silu({a})", 3),
    "gelu": ("F.gelu({a})", 3),
    "gelu-tanh": ('F.gelu({a}, approximate="tanh")', 3),
    "softsign": ("F.softsign({a})", 1),
    "logsigmoid": ("F.logsigmoid({a})", 4),
    "erf": ("torch.erf({a})", 1),
    "exp": ("torch.exp(torch.tanh({a}))", 3),
    "expm1": ("torch.expm1(-{a} * {a})", 1),
    "log": ("torch.log({a} * {a} + 0.5)", 3),
    "log1p": ("torch.log1p({a} ** 2)", 3),
    "sqrt": ("torch.sqrt({a} * {a} + 0.5)", 3),
    "rsqrt": ("torch.rsqrt({a} * {a} + 0.5)", 1.5),
    "reciprocal": ("({a} * {a} + 0.7).reciprocal()", 1.5),
    "rdiv": ("1.5 / ({a} * {a} + 0.7)", 2),
    "rsub": ("1 - {a}", 3),
    "neg": ("-{a}", 3),
    "square": ("{a} ** 2", 5),
    "cube": ("torch.tanh({a}) ** 3", 1),
    "pow-minus-2": ("({a} * {a} + 0.8) ** -2", 1.6),
    "pow-half": ("({a} * {a} + 0.5) ** 0.5", 3),
    "pow-minus-half": ("({a} * {a} + 0.5).pow(-0.5)", 1.5),
    "elu": ("F.elu({a} + {k}, alpha=0.8)", 3),
    "relu": ("F.relu({a} + {k})", 3),
    "leaky-relu": ("F.leaky_relu({a} + {k}, 0.2)", 3),
    "hardtanh": ("F.hardtanh({a} + {k}, -0.9, 0.7)", 1),
    "hardsigmoid": ("F.hardsigmoid({a} + {k})", 1),
    "abs": ("torch.abs({a} + {k})", 3),
    "clamp": ("torch.clamp({a} + {k}, -0.8, 0.9)", 1),
    "clamp-min": ("({a} + {k}).clamp(min=-0.1)", 3),
    "remainder": ("torch.remainder({a} + {k}, 0.75)", 0.75),
    "detach": ("{a}.detach() * {k}", 3),
    "scaled": ("{a} * {k}", 3),
    "zeros-like": ("torch.zeros_like({a}) + {a} * {k}", 3),
    "new-ones": ("{a}.new_ones(len({a}), 1) - {a}", 3),
    "full-like": ("torch.full_like({a}, {k}) * {a}", 3),
    "in-place": ("({a} * {k}).add_(0.2).mul_(1.1).sigmoid_()", 1),
    "in-place-relu": ("({a} - {k}).relu_()", 3),
    "where-number": ("torch.where({a} > {k}, {a}, 0.3 * {a})", 3),
    "masked-fill": ("{a}.masked_fill({a} + {k} < 0.05, 0.4)", 3),
    "compare": ("({a} >= {k}).to({a}.dtype) - 0.5 * {a}", 3),
}
BINARY = {
    "add": ("{a} + {b}", 4),
    "add-alpha": ("torch.add({a}, {b}, alpha={k})", 4),
    "sub": ("{a} - {b}", 4),
    "mul": ("{a} * {b}", 4),
    "div": ("{a} / ({b} * {b} + 0.6)", 3.5),
    "minimum": ("torch.minimum({a} + {k}, {b})", 3),
    "maximum": ("torch.maximum({a}, {b} - {k})", 3),
    "lerp": ("torch.lerp({a}, {b}, 0.3)", 3),
    "where": ("torch.where({a} < {b} + {k}, {a}, {b})", 3),
    "where-and": ("torch.where(({a} + {k} > 0.1) & ({b} - {k} <= 0.4), {a}, -{b})", 3),
    "in-place-binary": ("({a} * 0.9).sub_({b}).tanh_()", 1),
}
TERNARY = {
    "lerp-tensor": ("torch.lerp({a}, {b}, torch.sigmoid({c}))", 3),
    "addcmul": ("torch.addcmul({a}, {b}, {c}, value=0.5)", 5),
    "gate": ("torch.sigmoid({a}) * {b} + (1 - torch.sigmoid({a})) * torch.tanh({c})", 3),
    "where-ternary": ("torch.where({a} > {k}, {b}, {c})", 3),
}
POINTWISE = UNARY | BINARY | TERNARY


def write_pointwise(writer: Writer) -> None:
    rule = writer.choose(list(POINTWISE))
    text, size = POINTWISE[rule]
    first = writer.pick()
    others = sum(f"{{{letter}}}" in text for letter in "bc")
    names = [first.name, *(writer.fit(writer.pick(), first.width) for _ in range(others))]
    writer.rules.append(rule)
    number = writer.constant() if writer.draw(st.booleans()) else str(writer.odd())
    text = text.format(**dict(zip("abc", names, strict=False)), k=number if "{k}" in text else "")
    writer.add(text, first.width, size)


# --- rules along the units: they may change the width ---


def write_learned(writer: Writer) -> None:
    a = writer.pick()
    kind = writer.choose(list(LEARNED))
    writer.rules.append(f"learned {kind}")
    writer.add(LEARNED[kind](writer, a), a.width, a.size * 1.5)


LEARNED: dict[str, Callable[[Writer, Value], str]] = {
    "vector": lambda w, a: f"{a.name} * {w.weight(a.width)}",
    "scalar": lambda w, a: f"{w.weight()} * {a.name}",
    "gated scalar": lambda w, a: f"torch.sigmoid({w.weight(1)}) * {a.name} + {w.weight(a.width)}",
    "buffer": lambda w, a: f"{a.name} * {w.mask(a.width)}",
}


ALONG_UNITS = {
    "softmax": ("torch.softmax({a}, -1)", 1),
    "log-softmax": ("F.log_softmax({a}, dim=1)", 4),
    "layer-norm": ("F.layer_norm({a}, ({n},))", 2.5),
    "cumsum": ("{a}.cumsum(1)", 4),
    "centred": ("{a} - {a}.mean(-1, keepdim=True)", 3),
    "unit-length": ("{a} * torch.rsqrt(({a} * {a}).sum(1, keepdim=True) + 0.3)", 1),
    "roll": ("torch.cat(({a}[:, 1:], {a}[:, :1]), 1)", 3),
    "flip": ("{a}.flip(1)", 3),
    "outer-sum": ("({a}.unsqueeze(2) * {a}.unsqueeze(1)).sum(2) * 0.3", 4),
    "overwritten-slice": ("F.pad({a}[:, 1:] * {a}[:, :-1], (1, 0))", 4),
    "sum": ("{a}.sum(-1, keepdim=True) * 0.4", 4),
    "mean": ("{a}.mean(1, keepdim=True)", 3),
    "mean-unsqueezed": ("{a}.mean(1).unsqueeze(1)", 3),
    "every-second": ("{a}[:, ::2]", 3),
    "last-column": ("{a}[:, -1].unsqueeze(-1)", 3),
    "first-half": ("{a}.chunk(2, 1)[0]", 3),
    "split": ("{a}.split(2, -1)[-1]", 3),
    "doubled": ("torch.cat(({a}, -{a}), dim=-1)", 3),
    "stacked": ("torch.stack(({a}, 0.5 * {a}), 2).flatten(1)", 3),
    "stacked-sum": ("torch.stack(({a}, {a} * {a}), 1).mean(1)", 4),
    "expanded": ("{a}.unsqueeze(1).expand(-1, 2, -1).reshape(-1, 2 * {n})", 3),
}
WIDTHS = {
    "sum": lambda n: 1,
    "mean": lambda n: 1,
    "mean-unsqueezed": lambda n: 1,
    "last-column": lambda n: 1,
    "every-second": lambda n: (n + 1) // 2,
    "first-half": lambda n: (n + 1) // 2,
    "split": lambda n: n % 2 or 2,
    "doubled": lambda n: 2 * n,
    "stacked": lambda n: 2 * n,
    "expanded": lambda n: 2 * n,
}
WIDEST = 12


def write_along_units(writer: Writer) -> None:
    a = writer.pick()
    allowed = [rule for rule in ALONG_UNITS if WIDTHS.get(rule, int)(a.width) <= WIDEST]
    rule = writer.choose(allowed)
    writer.rules.append(rule)
    text, size = ALONG_UNITS[rule]
    writer.add(text.format(a=a.name, n=a.width), WIDTHS.get(rule, int)(a.width), size)


def write_layer_norm(writer: Writer) -> None:
    a = writer.pick()
    writer.rules.append("learned layer norm")
    norm = writer.tensor("n", f"self.{{name}} = torch.nn.LayerNorm({a.width})")
    writer.add(f"{norm}({a.name})", a.width, 2.5)


def write_joined(writer: Writer) -> None:
    parts = [writer.pick() for _ in range(writer.choose((2, 3)))]
    width = sum(part.width for part in parts)
    if width > WIDEST:
        write_along_units(writer)
        return
    writer.rules.append("cat")
    writer.add(f"torch.cat(({', '.join(p.name for p in parts)}), 1)", width, max(p.size for p in parts))


def write_transposed(writer: Writer) -> None:
    a = writer.pick()
    groups = next((g for g in (3, 2) if a.width % g == 0), 1)
    writer.rules.append("transposed groups")
    text = f"{a.name}.view(-1, {groups}, {a.width // groups}).transpose(1, 2).reshape(-1, {a.width})"
    writer.add(text, a.width, a.size)


# --- products with weights ---


def write_product(writer: Writer) -> None:
    a = writer.pick()
    out = writer.choose((1, 2, 3, 4, 5, 7))
    rule = writer.choose(list(PRODUCTS))
    writer.rules.append(f"product {rule}")
    writer.add(PRODUCTS[rule](writer, a, out), out if rule not in ("square", "groups") else a.width, 2 * a.size)


def _grouped(writer: Writer, a: Value, out: int) -> str:
    groups = next((g for g in (3, 2) if a.width % g == 0), 1)
    width = a.width // groups
    weight = writer.weight(groups, width, width, fan_in=width)
    parts = f"{a.name}.view(-1, {groups}, {width})"
    return writer.choose(
        (
            f'torch.einsum("bgi,gij->bgj", {parts}, {weight}).flatten(1)',
            f"torch.bmm({parts}.transpose(0, 1), {weight}).transpose(0, 1).reshape(-1, {a.width})",
            f"({parts}.unsqueeze(2) @ {weight}).reshape(-1, {a.width})",
        )
    )


def _linear(writer: Writer, a: Value, out: int) -> str:
    bias = writer.choose((True, False))
    layer = writer.tensor("l", f"self.{{name}} = torch.nn.Linear({a.width}, {out}, bias={bias})")
    return f"{layer}({a.name})"


def _sliced(writer: Writer, a: Value, out: int) -> str:
    weight = writer.weight(2 * out, a.width, fan_in=a.width)
    part = writer.choose((f"[:{out}]", f"[{out}:]", ".chunk(2)[1]", "[::2]"))
    return f"F.linear({a.name}, {weight}{part})"


def _masked(writer: Writer, a: Value, out: int) -> str:
    weight, mask = writer.weight(out, a.width, fan_in=a.width), writer.mask(out, a.width)
    return f"F.linear({a.name}, {weight} * {mask}, {writer.weight(out)})"


def _square(writer: Writer, a: Value, out: int) -> str:
    weight = writer.weight(a.width, a.width, fan_in=a.width)
    return f"{a.name} @ ({weight} - {weight}.t() - 0.1 * torch.eye({a.width}, dtype={a.name}.dtype))"


def _of_two(writer: Writer, a: Value, out: int) -> str:
    b = writer.pick()
    weight = writer.weight(out, a.width + b.width, fan_in=a.width + b.width)
    return f"torch.cat(({a.name}, {b.name}), -1) @ {weight}.t()"


PRODUCTS: dict[str, Callable[[Writer, Value, int], str]] = {
    "linear": _linear,
    "right": lambda w, a, out: f"{a.name} @ {w.weight(a.width, out, fan_in=a.width)}",
    "addmm": lambda w, a, out: f"torch.addmm({w.weight(out)}, {a.name}, {w.weight(a.width, out, fan_in=a.width)})",
    "transposed": lambda w, a, out: f"torch.matmul({a.name}, {w.weight(out, a.width, fan_in=a.width)}.t())",
    "from the left": lambda w, a, out: f"({w.weight(out, a.width, fan_in=a.width)} @ {a.name}.t()).t()",
    "low rank": lambda w, a, out: f"{a.name} @ {w.weight(a.width, 2, fan_in=a.width)} @ {w.weight(2, out, fan_in=2)}",
    "squashed weight": lambda w, a, out: f"{a.name} @ torch.tanh({w.weight(a.width, out)}) * 0.5",
    "of a pointwise value": lambda w, a, out: f"torch.sin({a.name}) @ {w.weight(a.width, out, fan_in=a.width)}",
    "sliced": _sliced,
    "masked": _masked,
    "square": _square,
    "of two": _of_two,
    "groups": _grouped,
}

OTHER_RULES = (write_pointwise,) * 5 + (write_along_units,) * 3
OTHER_RULES += (write_learned, write_joined, write_transposed, write_layer_norm)
ALL_RULES = frozenset(
    [*POINTWISE, *ALONG_UNITS, "cat", "transposed groups", "learned layer norm"]
    + [f"learned {kind}" for kind in LEARNED]
    + [f"product {rule}" for rule in PRODUCTS]
)
