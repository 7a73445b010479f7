"""How fast does a bidirectional LSTM train on film reviews, against the same model written in plain PyTorch?

Embedding 128, hidden 256 in each direction, the last states, binary cross-entropy with logits, Adam, 32 reviews of at
most 256 words a batch, as of `benchmarks/imdb.py`. PyTorch is measured twice: padded, as first tutorials have it,
where the last state has read the padding, and packed, which computes what ours does: the first losses of these two are
compared. Each turn is one step on the same batch; an epoch is the rate times the steps of a pass. Batches are those of
a run: of similar length. Needs the data set imdb.
"""

from __future__ import annotations

import argparse
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from recurra.models import Classifier
from recurra.tasks.classify import ClassifyConfig, ClassifyTask
from recurra.tasks.classify.config import DataConfig
from support import commands
from support.machine import machine
from support.quiet import Quietness
from support.tables import table
from support.turns import take_turns

EMBEDDING_SIZE, HIDDEN_SIZE, BATCH_SIZE, MAX_LENGTH = 128, 256, 32, 256
NUM_BATCHES = 24
MOST_DIFFERENCE = 1e-4
"""Between the first losses of ours and of the packed one, in nats."""


class Theirs(nn.Module):
    """The same model of torch's modules, with the same weights."""

    def __init__(self, ours: Classifier, *, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.embedding = nn.Embedding.from_pretrained(ours.embedding.weight.detach().clone(), freeze=False)
        self.lstm = nn.LSTM(EMBEDDING_SIZE, HIDDEN_SIZE, bidirectional=True)
        self.output = nn.Linear(2 * HIDDEN_SIZE, 1)
        recurrent = next(module for module in ours.modules() if hasattr(module, "cell_l0"))
        for suffix in ("", "_reverse"):
            for name, weight in recurrent.get_submodule(f"cell_l0{suffix}").state_dict().items():
                getattr(self.lstm, f"{name}_l0{suffix}").data.copy_(weight)
        linear = [module for module in ours.modules() if isinstance(module, nn.Linear)][-1]
        self.output.load_state_dict(linear.state_dict())

    def forward(self, words: Tensor, lengths: Tensor) -> Tensor:
        vectors = self.embedding(words)
        if self.packed:
            vectors = pack_padded_sequence(vectors, lengths, enforce_sorted=False)
        _, (h_n, _) = self.lstm(vectors)
        return self.output(torch.cat([h_n[0], h_n[1]], 1))


class TrainingSteps:
    """Steps of one model, one a call, over the same batches."""

    def __init__(self, model: nn.Module, batches: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        self.model, self.batches, self.done = model, batches, 0
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def loss(self, number: int) -> Tensor:
        words, lengths, targets = self.batches[number % len(self.batches)]
        return functional.binary_cross_entropy_with_logits(self.model(words, lengths)[:, 0], targets)

    def __call__(self) -> None:
        """Run one step: forward, backward, clipping, optimiser."""
        loss = self.loss(self.done)
        self.done += 1
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()


def main() -> int:
    """Run the measurement; 1 where the losses differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=NUM_BATCHES)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most-s", type=float, default=240.0, help="no round begins later (240)")
    options = parser.parse_args()
    commands.need_data("imdb")
    torch.set_num_threads(options.threads)
    print(machine())
    data = DataConfig(data=("imdb",), max_length=MAX_LENGTH, batch_size=BATCH_SIZE)
    task = ClassifyTask.from_config(ClassifyConfig(data=data))
    chosen = itertools.islice(task.batches("train", seed=1), NUM_BATCHES)
    batches = [(batch.inputs, batch.lengths, batch.targets.float()) for batch in chosen]
    torch.manual_seed(0)
    ours = Classifier(
        1,
        vocab_size=len(task.data.tokenizer),
        embedding_size=EMBEDDING_SIZE,
        hidden_size=HIDDEN_SIZE,
        pooling="last",
    )
    steps = {
        "ours": TrainingSteps(ours, batches),
        "torch, packed": TrainingSteps(Theirs(ours, packed=True), batches),
        "torch, padded": TrainingSteps(Theirs(ours, packed=False), batches),
    }
    with torch.no_grad():
        difference = abs(float(steps["ours"].loss(0) - steps["torch, packed"].loss(0)))
    quiet = Quietness()
    turns = take_turns(steps, options.rounds, most_s=options.most_s)
    per_epoch = task.num_batches("train")
    rows = [
        [
            name,
            f"{mean(turns.times[name]) * 1000:.0f}",
            f"{mean(turns.times[name]) * per_epoch:.0f}",
            f"{turns.ratio(name, 'ours'):.2f}",
        ]
        for name in steps
    ]
    steps_of = sum(len(batch[0]) for batch in batches) / len(batches)
    print(
        f"{per_epoch} steps an epoch, {steps_of:.0f} words in the longest of a batch; {len(turns.times['ours'])} rounds"
    )
    print(table(["", "ms a step", "s an epoch", "times ours (median of rounds)"], rows))
    print(quiet.line())
    if not difference <= MOST_DIFFERENCE:
        print(f"PROBLEM: the first losses differ by {difference:.2g} nats")
        return 1
    return 0


def mean(times: list[float]) -> float:
    """Return the mean: batches differ in length, so that a median would be that of one of them."""
    return sum(times) / len(times)


if __name__ == "__main__":
    raise SystemExit(main())
