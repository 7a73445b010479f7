import logging

import pytest

from recurra.data.example_blocks import WantedColumns
from recurra.data.hub_examples import iter_hub
from recurra.errors import DataError, DataNotFoundError, DownloadError

ANY = WantedColumns(None, None, None, True)


class Client:
    """Plays the client of the hub: answers, or fails with an error."""

    def __init__(self):
        self.error = None
        self.asked = []

    def head(self, address, timeout):
        self.asked.append((address, timeout))
        if self.error:
            raise self.error


@pytest.fixture(autouse=True)
def client(monkeypatch):
    import huggingface_hub.utils

    client = Client()
    monkeypatch.setattr(huggingface_hub.utils, "get_session", lambda: client)
    return client


@pytest.fixture
def hub(monkeypatch):
    """Let ``datasets`` find these parts, each a table of columns, and return what it is asked for."""
    import datasets

    asked = []

    def _hub(parts, classes=None):
        def load(*arguments):
            asked.append(arguments)
            found = {name: datasets.Dataset.from_dict(columns) for name, columns in parts.items()}
            if classes:
                found = {
                    name: part.cast_column("label", datasets.ClassLabel(names=classes)) for name, part in found.items()
                }
            return datasets.DatasetDict(found)

        monkeypatch.setattr(datasets, "load_dataset", load)
        return asked

    return _hub


@pytest.fixture
def failing(monkeypatch):
    """Let ``datasets`` fail with an error."""
    import datasets

    def _failing(error):
        def load(*_):
            raise error

        monkeypatch.setattr(datasets, "load_dataset", load)

    return _failing


def read(name="some/data", wanted=ANY):
    """The examples of a data set: label, text, part; and what was left out."""
    blocks = list(iter_hub(name, wanted))
    examples = [
        example for block in blocks for example in zip(block.labels or (), block.texts, block.splits or (), strict=True)
    ]
    return examples, {what: count for block in blocks for what, count in block.left_out.items()}


def test_classes_have_their_names_and_parts_are_those_of_the_data_set(hub):
    hub(
        {
            "train": {"text": ["a", "b"], "label": [1, 0]},
            "test": {"text": ["c"], "label": [1]},
            "unsupervised": {"text": ["d", "e", "f"], "label": [-1, -1, -1]},
        },
        classes=["neg", "pos"],
    )

    examples, left_out = read()

    assert examples == [("pos", "a", "train"), ("neg", "b", "train"), ("pos", "c", "test")]
    assert left_out == {"texts in the part 'unsupervised' of some/data": 3}


def test_examples_of_unknown_class_are_left_out_and_counted(hub):
    hub({"test": {"text": ["a", "b", "c"], "label": [-1, 0, None]}}, classes=["x"])

    (block,) = iter_hub("some/data", ANY)

    assert (block.texts, block.labels, block.splits) == (["b"], ["x"], ["test"])
    assert block.left_out == {"texts in some/data (test) whose class is not known": 2}
    assert block.origin(0) == "row 2 of some/data (test)"


@pytest.mark.parametrize(("labels", "read_as"), [(["x", None], ["x", ""]), ([3, 4], ["3", "4"])])
def test_labels_that_are_no_classes_are_read_as_they_are(hub, labels, read_as):
    hub({"train": {"sentence": ["a", None], "label": labels}})

    assert read()[0] == [(read_as[0], "a", "train"), (read_as[1], "", "train")]


def test_columns_are_read_as_asked_for(hub):
    hub({"train": {"a": ["1"], "file": ["2"], "part": ["dev"]}})

    assert read(wanted=WantedColumns("a", "file", "part", True))[0] == [("2", "1", "dev")]


def test_labels_may_be_missing_where_none_are_needed(hub):
    hub({"train": {"text": ["a"]}})

    (block,) = iter_hub("some/data", WantedColumns(None, None, None, False))

    assert (block.texts, block.labels, block.splits) == (["a"], None, None)


def test_many_rows_come_some_at_a_time(hub):
    hub({"train": {"text": [str(n) for n in range(2500)], "label": ["x"] * 2500}})

    blocks = list(iter_hub("some/data", ANY))

    assert len(blocks) == 3
    assert [text for block in blocks for text in block.texts] == [str(n) for n in range(2500)]
    assert blocks[2].origin(0) == "row 2001 of some/data (train)"


@pytest.mark.parametrize(("name", "asked"), [("a/b", ("a/b", None)), ("a/b:c", ("a/b", "c"))])
def test_a_configuration_stands_behind_a_colon(hub, name, asked):
    calls = hub({"train": {"text": ["a"], "label": ["x"]}})

    read(name)

    assert calls == [asked]


def test_missing_columns_and_measures_are_named(hub):
    hub({"train": {"a": ["a"], "label": [0.5], "c": ["c"]}})

    with pytest.raises(DataError, match=r"expected a column 'text' in some/data \(train\), got 'a', 'label', 'c'"):
        read()
    with pytest.raises(DataError, match=r"for the label in row 1 of some/data \(train\), got the float 0\.5"):
        read(wanted=WantedColumns("a", None, None, True))


def test_a_data_set_without_known_parts_is_named(hub):
    hub({"first": {"text": ["a"], "label": ["x"]}, "second": {"text": ["a"], "label": ["x"]}})

    with pytest.raises(
        DataError, match=r"expected a part for training, .* 'some/data' of the hub, got 'first', 'second'"
    ):
        read()


def test_a_hub_that_cannot_be_reached_is_told(failing):
    failing(ConnectionError("Couldn't reach 'some/data' on the Hub"))

    with pytest.raises(DownloadError, match="expected the data set 'some/data' of the hub, got: Couldn't") as caught:
        read()

    assert "network" in caught.value.hint


def test_a_hub_that_does_not_answer_is_asked_once(client, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_ENDPOINT", "https://hub.test")
    client.error = RuntimeError("Name or service not known")

    # the package itself, which asks nobody when it is told that there is no network
    with pytest.raises(
        DownloadError,
        match=r"expected the data set 'some/data' of the hub, got: no answer from https://hub\.test: Name or service",
    ):
        read()

    assert client.asked == [("https://hub.test", 10)]
    assert not datasets.config.HF_HUB_OFFLINE


def test_what_was_fetched_before_is_read_without_a_network(client, hub):
    hub({"train": {"text": ["a"], "label": ["x"]}})
    client.error = ConnectionError("no network")

    assert read()[0] == [("x", "a", "train")]


def test_the_client_of_the_hub_says_nothing_of_its_retries(monkeypatch, caplog):
    import datasets

    def load(*_):
        logging.getLogger("huggingface_hub.utils._http").warning("Retrying in 1s [Retry 1/5].")
        raise ConnectionError("gone")

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr(logging.getLogger("huggingface_hub"), "propagate", True)

    with pytest.raises(DownloadError, match="gone"):
        read()

    assert not caplog.records


def test_a_data_set_that_the_hub_does_not_know_is_told(failing):
    failing(FileNotFoundError("Dataset 'some/data' doesn't exist on the Hub"))

    with pytest.raises(DataNotFoundError, match="expected the data set 'some/data' of the hub, got: Dataset") as caught:
        read()

    assert caught.value.hint == "check the name"


def test_a_missing_configuration_is_told(failing):
    failing(ValueError("Config name is missing. Please pick one among: 'a', 'b'"))

    with pytest.raises(DataError, match="expected to load the data set 'some/data' of the hub, got: Config") as caught:
        read()

    assert "hub:NAME:CONFIGURATION" in caught.value.hint
