import dataclasses
import tomllib
from typing import Literal

import pytest

from recurra.errors import ConfigError
from recurra.tasks.text.config import SECTIONS, TextConfig
from recurra.training import TrainingConfig
from recurra.training.config_file import field_docs, read_config, read_task_name, write_config


@dataclasses.dataclass(frozen=True)
class Section:
    size: int = 3
    """Units. At least 1."""
    rate: float = 0.5
    """A rate,
    over two lines."""
    kind: Literal["a", "b"] = "a"
    """Which."""
    names: tuple[str, ...] = ("x",)
    """Some names."""
    limit: float | None = 1.0
    """A limit, or none."""
    flag: bool = False
    """A switch."""

    def __post_init__(self):
        if self.size < 1:
            raise ConfigError(f"expected size of at least 1, got {self.size}")


def write(tmp_path, text):
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_what_is_written_reads_back_equal(tmp_path):
    section = Section(size=7, rate=2.0, kind="b", names=('quo"te', "ü\n"), limit=None, flag=True)

    text = write_config("tiny", {"part": section})

    assert read_config(write(tmp_path, text), {"part": Section})["part"] == section
    assert read_task_name(tmp_path / "config.toml") == "tiny"


def test_every_key_has_its_meaning_above_it():
    text = write_config("tiny", {"part": Section()})

    lines = text.splitlines()
    assert lines[lines.index("rate = 0.5") - 1] == "# A rate, over two lines."
    assert "# Which. One of: a, b." in lines


@pytest.mark.parametrize("cls", SECTIONS.values())
def test_no_field_of_the_text_task_lacks_a_docstring(cls):
    assert set(field_docs(cls)) == {field.name for field in dataclasses.fields(cls)}


def test_the_defaults_of_the_text_task_survive_the_file(tmp_path):
    config = TextConfig(training=TrainingConfig(max_grad_norm=None, max_steps=5))
    sections = {name: getattr(config, name) for name in SECTIONS}

    text = write_config("text", sections)

    assert TextConfig(**read_config(write(tmp_path, text), SECTIONS)) == config
    assert tomllib.loads(text)["training"]["max_grad_norm"] == "none"


def test_all_faults_are_reported_at_once(tmp_path):
    path = write(
        tmp_path,
        """
        task = "tiny"
        stray = 1
        [part]
        sise = 4
        rate = "fast"
        kind = "c"
        names = "x"
        flag = 1
        [prat]
        """,
    )

    with pytest.raises(ConfigError) as caught:
        read_config(path, {"part": Section})

    text = str(caught.value)
    assert "unknown key part.sise (did you mean 'size'?)" in text
    assert "expected part.rate to be a number, got 'fast'" in text
    assert "expected part.kind to be one of a, b, got 'c'" in text
    assert "expected part.names to be a list, got 'x'" in text
    assert "expected part.flag to be true or false, got 1" in text
    assert "unknown section [prat] (did you mean 'part'?)" in text
    assert "unknown key 'stray'" in text
    assert len(caught.value.faults) == 7


def test_a_value_out_of_range_is_reported_with_the_file(tmp_path):
    with pytest.raises(ConfigError, match=r"config\.toml: expected size of at least 1, got 0"):
        read_config(write(tmp_path, "[part]\nsize = 0"), {"part": Section})


def test_a_whole_number_is_a_float_but_not_the_other_way_round(tmp_path):
    assert read_config(write(tmp_path, "[part]\nrate = 2"), {"part": Section})["part"].rate == 2.0
    with pytest.raises(ConfigError, match=r"part\.size to be a whole number, got 2\.5"):
        read_config(write(tmp_path, "[part]\nsize = 2.5"), {"part": Section})


def test_a_file_that_is_no_toml_or_not_there_is_reported(tmp_path):
    with pytest.raises(ConfigError, match=r"is no TOML: .*line 1"):
        read_config(write(tmp_path, "size = = 3"), {"part": Section})
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_config(tmp_path / "missing.toml", {"part": Section})
    with pytest.raises(ConfigError, match="expected a key task"):
        read_task_name(write(tmp_path, "[part]"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": 0.0}, "lr above 0, got 0.0"),
        ({"max_steps": 3, "num_epochs": 2.0}, "at most one of max_steps, num_epochs, time_budget_s"),
        ({"max_steps": -1}, "max_steps of at least 0"),
        ({"time_budget_s": float("nan")}, "time_budget_s above 0"),
        ({"momentum": 1.0}, r"momentum in \[0, 1\)"),
        ({"final_lr_fraction": 1.5}, r"final_lr_fraction in \[0, 1\]"),
        ({"decay_factor": 0.0}, r"decay_factor in \(0, 1\]"),
        ({"log_every": 0}, "log_every of at least 1"),
        ({"num_samples": -1}, "num_samples of at least 0"),
    ],
)
def test_training_options_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**values)


def test_without_a_limit_the_budget_is_five_minutes():
    assert TrainingConfig().budget_s == 300
    assert TrainingConfig(max_steps=5).budget_s is None
    assert TrainingConfig(time_budget_s=7.0).budget_s == 7
