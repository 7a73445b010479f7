"""How many words a second does a tagger train on and tag, and how long does it take to translate 1,000 sentences?

Without runs of its own the script trains small ones on the built-in data first; --tagger and --translator name others,
such as those of `benchmarks/tagging.py` and `benchmarks/translation.py`. Tagging is the whole way from words to names
of tags, beside the forward pass alone of the same network in PyTorch's own packed LSTM, over the same embedded words.
Translating is the whole way from text to text, with one beam and with five. All take turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra
from recurra.data import read_tagged, resolve
from support import commands
from support.machine import machine
from support.quiet import Quietness
from support.tables import table
from support.turns import take_turns

NUM_SENTENCES = 1000
TRAINED = {
    "tag": ("--max-steps", "150", "--num-validations", "1", "--num-samples", "0"),
    "translate": ("--max-steps", "150", "--num-validations", "1", "--num-samples", "0"),
}


def open_run(task: str, given: Path | None, folder: Path, threads: int) -> Any:
    """Return a run that was named, or a new one on the built-in data."""
    if given is None:
        given = folder / task
        commands.recurra("train", task, *TRAINED[task], "--num-threads", str(threads), "--run", str(given))
    return recurra.load(given)


class PlainForward:
    """The recurrent layers of a tagger as torch's packed LSTM, over random vectors in the place of words."""

    def __init__(self, width: int, hidden_size: int, num_layers: int, lengths: list[int]) -> None:
        self.lstm = nn.LSTM(width, hidden_size, num_layers, bidirectional=True)
        ordered = sorted(lengths, reverse=True)
        self.batches: list[tuple[Tensor, Tensor]] = []
        for begin in range(0, len(ordered), 64):
            some = torch.tensor(ordered[begin : begin + 64])
            self.batches.append((torch.randn(int(some[0]), len(some), width), some))

    def __call__(self) -> None:
        with torch.inference_mode():
            for vectors, lengths in self.batches:
                self.lstm(pack_padded_sequence(vectors, lengths))


def measure_tagging(run: Any, rounds: int) -> None:
    """Print words a second of tagging."""
    sources = resolve(run.config.data.data)
    sentences = read_tagged(sources.validation or sources.paths, run.config.data.tag_column).words[:NUM_SENTENCES]
    lengths = [len(words) for words in sentences]
    recurrent = run.model.recurrent
    plain = PlainForward(recurrent.input_size, run.config.model.hidden_size, run.config.model.num_layers, lengths)
    quiet = Quietness()
    turns = take_turns({"tagging": lambda: run.predict(sentences), "torch": plain}, rounds)
    rows = [[name, f"{sum(lengths) / turns.median_s(name):,.0f}"] for name in turns.times]
    print(f"\n{len(sentences):,} sentences, {sum(lengths):,} words, {run.config.model.output} output; {quiet.line()}")
    print(table(["", "words/s"], rows))
    print(f"tagging takes {turns.ratio('tagging', 'torch'):.2f} times as long as torch's recurrent layers alone")


def measure_translating(run: Any, rounds: int) -> None:
    """Print seconds of translating."""
    part = run.data().parts["validation"]
    numbers = np.linspace(0, len(part.sources) - 1, NUM_SENTENCES).astype(int).tolist()
    texts = [part.sources[number] for number in numbers]
    quiet = Quietness()
    functions = {f"{beams} beams": (lambda beams=beams: run.predict(texts, num_beams=beams)) for beams in (1, 5)}
    turns = take_turns(functions, rounds)
    num_tokens = sum(len(run.src_tokenizer.encode(text)) for text in texts)
    rows = [
        [name, f"{turns.median_s(name):.2f}", f"{NUM_SENTENCES / turns.median_s(name):,.0f}"] for name in turns.times
    ]
    print(f"\n{NUM_SENTENCES:,} sentences of {num_tokens / NUM_SENTENCES:.1f} tokens; {quiet.line()}")
    print(table(["", "s", "sentences/s"], rows))


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tagger", type=Path, help="a run of the task tag")
    parser.add_argument("--translator", type=Path, help="a run of the task translate")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        tagger = open_run("tag", options.tagger, Path(folder), options.threads)
        translator = open_run("translate", options.translator, Path(folder), options.threads)
        print(f"the runs were there after {time.perf_counter() - began:.0f} s")
        measure_tagging(tagger, options.rounds)
        measure_translating(translator, options.rounds)


if __name__ == "__main__":
    main()
