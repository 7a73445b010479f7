import pytest

from recurra.tasks.text import DataConfig, ModelConfig, SamplingConfig, TextConfig, TextTask
from recurra.training import TrainingConfig, train
from tests.support.text_runs import HIGH, LOW, tiny_config, train_run

TEXT = (
    "".join(
        f"The {animal} sat on the {place}.\n" for animal in ("cat", "dog", "cow") for place in ("mat", "log", "hill")
    )
    * 20
)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(cache, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(cache))


@pytest.fixture(scope="session")
def text_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "animals.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def small_config(path, **training):
    options = {"max_steps": 150, "num_samples": 0, "num_validations": 2, "num_threads": 1, "lr": 0.01, **training}
    return TextConfig(
        data=DataConfig(data=(str(path),), batch_size=4, bptt=16),
        model=ModelConfig(hidden_size=32, num_layers=2),
        training=TrainingConfig(**options),
        sampling=SamplingConfig(sample_length=20),
    )


@pytest.fixture(scope="session")
def config_of():
    return small_config


@pytest.fixture(scope="session")
def run_folder(text_file, tmp_path_factory, cache):
    """A trained run; tests read it only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    config = small_config(text_file)
    folder = tmp_path_factory.mktemp("runs") / "animals"
    train(TextTask.from_config(config), config.training, run=folder)
    patch.undo()
    return folder


@pytest.fixture(scope="session")
def line_folders(tmp_path_factory, cache):
    """Two trained runs of lines, "plain" and "labelled" (low or high); tests read them only."""
    patch = pytest.MonkeyPatch()
    patch.setenv("RECURRA_CACHE", str(cache))
    root = tmp_path_factory.mktemp("lines")
    for name, lines in (("low", LOW), ("high", HIGH)):
        (root / f"{name}.txt").write_text("\n".join(lines))
    paths = [root / "low.txt", root / "high.txt"]
    for name, options in (("plain", {}), ("labelled", {"label_column": "file"})):
        config = tiny_config(
            *paths,
            sequences="lines",
            validation_fraction=0.2,
            test_fraction=0.2,
            batch_size=16,
            training={"max_steps": 150, "lr": 0.02},
            **options,
        )
        train_run(config, root / name)
    patch.undo()
    return root
