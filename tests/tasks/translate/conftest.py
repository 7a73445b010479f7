"""A language small enough to be learnt in seconds."""

from itertools import product

import pytest

from recurra.tasks.translate import (
    DataConfig,
    DecodingConfig,
    ModelConfig,
    TranslateConfig,
    TranslateTask,
    TranslateTraining,
)
from recurra.training import train

ANIMALS = {"cat": "Katze", "cow": "Kuh", "mouse": "Maus", "duck": "Ente", "bee": "Biene"}
VERBS = {"sees": "sieht", "hears": "hört", "chases": "jagt"}


def sentences():
    """Pairs of German and English; the English order of words is another one."""
    for (one, eine), (verb, verbum), (other, andere) in product(ANIMALS.items(), VERBS.items(), ANIMALS.items()):
        yield f"Die {eine} {verbum} die {andere}.", f"The {other} the {one} {verb}."


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(cache))


@pytest.fixture(autouse=True)
def few_pictures(monkeypatch):
    """One picture a report: drawing takes longer than training."""
    monkeypatch.setattr("recurra.tasks.translate.task._NUM_PICTURES", 1)


@pytest.fixture(scope="session")
def pair_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "animals.tsv"
    path.write_text("".join(f"{german}\t{english}\n" for german, english in sentences()), encoding="utf-8")
    return path


@pytest.fixture
def write(tmp_path):
    """Write lines to a file and return its path as text."""

    def _write(lines, name="pairs.tsv"):
        path = tmp_path / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    return _write


def small_config(path, *, data=None, model=None, decoding=None, **training):
    options = {"max_steps": 4, "num_samples": 0, "num_validations": 2, "num_threads": 1, **training}
    return TranslateConfig(
        data=DataConfig(**{"data": (str(path),), "batch_size": 8, "min_count": 1, **(data or {})}),
        model=ModelConfig(**{"hidden_size": 24, "embedding_size": 16, "engine": "eager", **(model or {})}),
        decoding=DecodingConfig(**{"num_beams": 2, **(decoding or {})}),
        training=TranslateTraining(**options),
    )


@pytest.fixture(scope="session")
def config_of():
    return small_config


@pytest.fixture(scope="session")
def run_folder(pair_file, tmp_path_factory, cache):
    """A trained run that has learnt the language; tests read it only."""
    config = small_config(pair_file, max_steps=200, lr=0.02, data={"test_fraction": 0.2}, model={"engine": "auto"})
    folder = tmp_path_factory.mktemp("runs") / "animals"
    train(TranslateTask.from_config(config), config.training, run=folder)
    return folder
