import csv

import numpy as np
import pytest

from recurra.tasks.classify import ClassifyConfig, ClassifyTask, ClassifyTraining, DataConfig, ModelConfig
from recurra.training import train

WORDS = {
    "good": ("lovely", "fine", "great", "warm", "bright", "kind"),
    "bad": ("awful", "grim", "cold", "dull", "bleak", "poor"),
}


def sentences(count=120, seed=0):
    """Reviews of a few words, whose label depends on the adjectives alone."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = ("good", "bad")[number % 2]
        words = [f"item{number}", "is", *draw.choice(WORDS[label], draw.integers(1, 5)), "and", "more"]
        rows.append((" ".join(words), label))
    return rows


def write_table(path, rows, header=("text", "label")):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return str(path)


def write_arrays(path, count=90, seed=0):
    """Sequences of two numbers a step: rising, falling or flat; behind their ends stands what is no number."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(3, 9, count)
    kinds = np.arange(count) % 3
    values = draw.normal(0, 0.1, (count, 8, 2))
    values[..., 0] += (kinds - 1)[:, None] * np.arange(8)
    values[np.arange(8) >= lengths[:, None]] = np.nan
    labels = np.array(["falling", "flat", "rising"])[kinds]
    np.savez(path, values=values, lengths=lengths, labels=labels)
    return str(path)


def small_config(data, model=None, training=None, **options):
    data = (data,) if isinstance(data, str) else data
    small = {"hidden_size": 8, "embedding_size": 6, "engine": "eager"} | (model or {})
    length = {"max_steps": 30, "num_samples": 2, "num_validations": 2, "num_threads": 1, "lr": 0.02, "warmup_steps": 1}
    return ClassifyConfig(
        data=DataConfig(data=data, **{"batch_size": 8, "tokenizer": "word"} | options),
        model=ModelConfig(**small),
        training=ClassifyTraining(**length | (training or {})),
    )


@pytest.fixture(scope="session")
def table(tmp_path_factory):
    return write_table(tmp_path_factory.mktemp("classify") / "reviews.csv", sentences())


@pytest.fixture(scope="session")
def arrays(tmp_path_factory):
    return write_arrays(tmp_path_factory.mktemp("classify") / "trends.npz")


@pytest.fixture(scope="session")
def run_folder(table, tmp_path_factory):
    """A trained run; tests read it only."""
    config = small_config(table, {"pooling": "attention"})
    folder = tmp_path_factory.mktemp("runs") / "reviews"
    train(ClassifyTask.from_config(config), config.training, run=folder)
    return folder


@pytest.fixture(scope="session")
def array_folder(arrays, tmp_path_factory):
    """A trained run of numbers; tests read it only."""
    config = small_config(arrays, {"embedding_size": None}, tokenizer="auto")
    folder = tmp_path_factory.mktemp("runs") / "trends"
    train(ClassifyTask.from_config(config), config.training, run=folder)
    return folder
