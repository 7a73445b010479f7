"""How fast does a language model of words train, against the same model written in plain PyTorch?

Two LSTM layers of 200 and an embedding of 200, twenty streams of 35 words a step: forward and backward pass, clipping
and a step of AdamW, in float32: on our side the optimiser of a run, on theirs torch's with its defaults. The words are
random, drawn from a Zipf distribution. Both sides begin with the same weights and are compared by the loss of their
first step. The two take turns; rates are medians of the rounds, and the
ratio is the median of the rounds' own ratios, theirs / ours: above 1, ours is faster.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.models import LanguageModel
from recurra.training import TrainingConfig
from recurra.training.optimizers import build_optimizer
from support.machine import machine
from support.quiet import Quietness
from support.turns import take_turns

BATCH_SIZE, BPTT, WIDTH, NUM_LAYERS = 20, 35, 200, 2
MAX_GRAD_NORM = 0.25
NUM_BATCHES = 20
MOST_DIFFERENCE = 1e-4
"""Between the first losses of both sides, in nats."""


@dataclass(frozen=True)
class Setting:
    """An output layer: one softmax with tied weights where there are no cutoffs."""

    vocab_size: int
    cutoffs: tuple[int, ...] = ()

    def __str__(self) -> str:
        kind = f"adaptive softmax, cutoffs {', '.join(map(str, self.cutoffs))}" if self.cutoffs else "softmax, tied"
        return f"{self.vocab_size:,} words, {kind}"


SETTINGS = (Setting(10_000), Setting(100_000, (2_000, 10_000, 40_000)))


class Ours(nn.Module):
    """The package's model."""

    def __init__(self, setting: Setting) -> None:
        super().__init__()
        self.model = LanguageModel(
            setting.vocab_size,
            hidden_size=WIDTH,
            num_layers=NUM_LAYERS,
            tie_weights=not setting.cutoffs,
            adaptive_cutoffs=setting.cutoffs,
        )

    def forward(self, tokens: Tensor, targets: Tensor, state: object) -> tuple[Tensor, tuple[Tensor, ...]]:
        prediction, state = self.model(tokens, state, targets=targets)
        return prediction.nll.mean(), state


class Theirs(nn.Module):
    """The same model of torch's modules, with the same weights."""

    def __init__(self, setting: Setting, ours: Ours) -> None:
        super().__init__()
        model = ours.model
        self.embedding = nn.Embedding(setting.vocab_size, WIDTH)
        self.lstm = nn.LSTM(WIDTH, WIDTH, NUM_LAYERS)
        if setting.cutoffs:
            self.decoder = nn.AdaptiveLogSoftmaxWithLoss(WIDTH, setting.vocab_size, setting.cutoffs)
        else:
            self.decoder = nn.Linear(WIDTH, setting.vocab_size)
        self.embedding.load_state_dict(model.embedding.state_dict())
        self.decoder.load_state_dict(model.decoder.state_dict())
        for layer in range(NUM_LAYERS):
            for name, weight in model.recurrent.get_submodule(f"cell_l{layer}").state_dict().items():
                getattr(self.lstm, f"{name}_l{layer}").data.copy_(weight)
        if not setting.cutoffs:
            self.decoder.weight = self.embedding.weight

    def forward(self, tokens: Tensor, targets: Tensor, state: object) -> tuple[Tensor, tuple[Tensor, ...]]:
        output, state = self.lstm(self.embedding(tokens), state)
        output, targets = output.flatten(0, 1), targets.flatten()
        if isinstance(self.decoder, nn.Linear):
            return functional.cross_entropy(self.decoder(output), targets), state
        return self.decoder(output, targets).loss, state


class TrainingSteps:
    """Steps of one model, one a call; the state is carried, as in a run."""

    def __init__(self, model: nn.Module, batches: Tensor) -> None:
        self.model, self.batches = model, batches
        if isinstance(model, Ours):
            self.optimizer = build_optimizer(model, TrainingConfig(lr=1e-3, weight_decay=0.01))
        else:
            self.optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        self.done = 0
        self.state: tuple[Tensor, ...] | None = None

    def first_loss(self) -> float:
        """Return the loss before any step."""
        with torch.no_grad():
            return float(self.model(self.batches[0, :-1], self.batches[0, 1:], None)[0])

    def __call__(self) -> None:
        """Run one step: forward, backward, clipping, optimiser."""
        words = self.batches[self.done % NUM_BATCHES]  # (T + 1, B)
        self.done += 1
        loss, state = self.model(words[:-1], words[1:], self.state)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRAD_NORM)
        self.optimizer.step()
        self.state = tuple(part.detach() for part in state)


def draw_words(vocab_size: int) -> Tensor:
    """Return random ids (batches, T + 1, B), of which the k-th likeliest is k - 1, with a probability of c / k."""
    ranks = torch.arange(1, vocab_size + 1, dtype=torch.float64)
    count = NUM_BATCHES * (BPTT + 1) * BATCH_SIZE
    drawn = torch.multinomial(1 / ranks, count, replacement=True, generator=torch.Generator().manual_seed(1))
    return drawn.view(NUM_BATCHES, BPTT + 1, BATCH_SIZE)


def measure(setting: Setting, rounds: int, most_s: float) -> bool:
    """Print one row, and return whether both sides had the same loss."""
    torch.manual_seed(0)
    ours, batches = Ours(setting), draw_words(setting.vocab_size)
    steps = {"ours": TrainingSteps(ours, batches), "torch": TrainingSteps(Theirs(setting, ours), batches)}
    difference = abs(steps["ours"].first_loss() - steps["torch"].first_loss())
    quiet = Quietness()
    turns = take_turns(steps, rounds, most_s=most_s)
    rates = {name: BATCH_SIZE * BPTT / turns.median_s(name) for name in steps}
    print(
        f"{setting!s:<60} ours {rates['ours']:7,.0f} tokens/s   torch {rates['torch']:7,.0f} tokens/s   "
        f"torch / ours {turns.ratio('torch', 'ours'):.2f}   {len(turns.times['ours'])} rounds   ({quiet.line()})",
        flush=True,
    )
    if not difference <= MOST_DIFFERENCE:
        print(f"  PROBLEM: the first losses differ by {difference:.2g} nats")
        return False
    return True


def main() -> int:
    """Run the measurement; 1 where the losses differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-s", type=float, default=60.0, help="no round of a setting begins later (60)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    found = [measure(setting, options.rounds, options.most_s) for setting in SETTINGS]
    return 0 if all(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
