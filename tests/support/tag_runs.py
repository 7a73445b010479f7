"""Tiny tagged sentences, and runs of the tag task over them."""

from __future__ import annotations

import random

from recurra.tasks.tag import DataConfig, ModelConfig, TagConfig, TagTask, TagTraining
from recurra.training import train

WORDS = {"DET": ("the", "a"), "NOUN": ("dog", "cat", "bird"), "VERB": ("sees", "hears")}
ENTITIES = """\
Ann\tB-per
Lee\tI-per
likes\tO
Rome\tB-loc

Bob\tB-per
likes\tO
New\tB-loc
York\tI-loc

nobody\tO
likes\tO
him\tO

"""


def sentences(count, seed):
    """Return sentences of two or three kinds of words, with their tags."""
    drawn = random.Random(seed)
    shapes = (("DET", "NOUN", "VERB"), ("DET", "NOUN", "VERB", "DET", "NOUN"), ("VERB",))
    return [[(drawn.choice(WORDS[tag]), tag) for tag in drawn.choice(shapes)] for _ in range(count)]


def as_columns(tagged):
    """Return sentences as a two-column file."""
    return "".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) + "\n" for sentence in tagged)


def write_parts(folder):
    """Write sentences without entities to train, to validate and to test on; return the three files."""
    paths = []
    for seed, (name, count) in enumerate((("train", 60), ("validation", 10), ("test", 12))):
        path = folder / f"{name}.conll"
        path.write_text(as_columns(sentences(count, seed)))
        paths.append(path)
    return paths


def write_entities(folder):
    """Write a file whose tags mark entities."""
    path = folder / "entities.bio"
    path.write_text(ENTITIES * 4)
    return path


def tiny_config(files, *, data=None, model=None, training=None):
    """Return a configuration that trains in a fraction of a second.

    Args:
        files: To train, to validate and to test on; there may be no test file.
        data: Further options of the data, and so on.
    """
    paths = {"data": (files[0],), "validation_data": (files[1],), "test_data": tuple(files[2:])}
    sizes = {"hidden_size": 8, "embedding_size": 8, "char_embedding_size": 4, "char_hidden_size": 4}
    length = {"max_steps": 6, "num_validations": 2, "num_samples": 2, "num_threads": 1, "log_every": 2}
    return TagConfig(
        data=DataConfig(**{"batch_size": 8, "min_count": 1, **paths, **(data or {})}),
        model=ModelConfig(**{**sizes, **(model or {})}),
        training=TagTraining(**{**length, **(training or {})}),
    )


def train_run(config, folder):
    """Train, and return the figures."""
    return train(TagTask.from_config(config), config.training, run=folder)
