"""Lines, each a sequence by itself: how they are shared out, read and labelled."""

import csv
import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from recurra.data import BOS_ID, EOS_ID
from recurra.errors import ConfigError, DataError, DataTooShortError
from recurra.tasks.text import DataConfig, TextTask
from recurra.training.evaluation import evaluate
from tests.support.text_runs import tiny_config

SHARES = {"validation_fraction": 0.2, "test_fraction": 0.2}


def names(count, seed=0, letters="abcdefgh"):
    drawn = random.Random(seed)
    return ["".join(drawn.choices(letters, k=drawn.randint(1, 9))) for _ in range(count)]


@pytest.fixture
def task_of(tmp_path):
    def open_task(text, name="names.txt", **options):
        (tmp_path / name).write_text(text, encoding="utf-8")
        given = {"sequences": "lines", **SHARES, **options}
        return TextTask.from_config(tiny_config(tmp_path / name, **given))

    return open_task


def texts(task, part):
    lines = task.data.lines(part)
    return [task.data.tokenizer.decode(lines.read(number)) for number in range(len(lines))]


def all_texts(task):
    return Counter(line for part in PARTS for line in texts(task, part))


PARTS = ("train", "validation", "test")

# ---------------------------------------------------------------------- parts


def test_every_line_is_in_one_part_and_equal_lines_are_in_the_same(task_of):
    lines = names(60) * 2 + names(30, seed=5)
    random.Random(1).shuffle(lines)
    task = task_of("\n".join(lines))

    shares = {part: texts(task, part) for part in PARTS}

    assert Counter(line for share in shares.values() for line in share) == Counter(lines)
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not set(shares[one]) & set(shares[other])
    for part in ("validation", "test"):
        assert len(shares[part]) == pytest.approx(0.2 * len(lines), abs=4)


def test_the_split_seed_alone_decides_where_a_line_goes(task_of):
    lines = names(90)
    shares = [texts(task_of("\n".join(lines), split_seed=seed), "test") for seed in (1, 1, 2)]

    assert shares[0] == shares[1] != shares[2]


def test_empty_lines_are_left_out_and_counted(task_of):
    lines = names(40)
    task = task_of("\n\n" + "\n\n".join(lines) + "\n\n\n")

    assert all_texts(task) == Counter(lines)
    # two in front, one between any two, two behind
    assert "43 empty lines are left out" in task.summary(task.build_model())


def test_several_plain_files_never_join_their_lines(tmp_path):
    groups = [names(20, seed) for seed in (1, 2, 3)]
    paths = [tmp_path / f"{number}.txt" for number in range(3)]
    for path, group in zip(paths, groups, strict=True):
        path.write_text("\n".join(group), encoding="utf-8")  # no line end at the end

    task = TextTask.from_config(tiny_config(*paths, sequences="lines", **SHARES))

    assert all_texts(task) == Counter(line for group in groups for line in group)


def test_whole_files_are_parts_and_what_they_share_is_reported(tmp_path):
    for name, text in (("a", "ab\ncd\nef\nab\n"), ("b", "ab\n\nxy\n"), ("c", "cd\nef\nzz")):
        (tmp_path / name).write_text(text)
    given = {"validation_data": (str(tmp_path / "b"),), "test_data": (str(tmp_path / "c"),)}

    task = TextTask.from_config(tiny_config(tmp_path / "a", sequences="lines", **given))

    assert texts(task, "train") == ["ab", "cd", "ef", "ab"]
    # what the training part lacks is unknown
    assert texts(task, "validation") == ["ab", "\ufffd\ufffd"]
    assert texts(task, "test") == ["cd", "ef", "\ufffd\ufffd"]
    said = task.summary(task.build_model())
    assert "1 empty lines are left out" in said
    assert "1 of 2 validation lines also stand in the training part" in said
    assert "2 of 3 test lines also stand in the training part" in said


def test_of_a_test_file_alone_validation_is_a_share_of_the_rest(tmp_path):
    (tmp_path / "a").write_text("\n".join(names(40)))
    (tmp_path / "c").write_text("abc\nabd\n")

    task = TextTask.from_config(
        tiny_config(tmp_path / "a", sequences="lines", test_data=(str(tmp_path / "c"),), validation_fraction=0.25)
    )

    assert texts(task, "test") == ["abc", "abd"]
    assert len(texts(task, "train")) + len(texts(task, "validation")) == 40


def test_a_held_out_file_of_empty_lines_is_refused(tmp_path):
    (tmp_path / "a").write_text("ab\ncd\n" * 9)
    (tmp_path / "b").write_text("\n\n")
    config = tiny_config(tmp_path / "a", sequences="lines")
    expected = "part of at least 1 line that is not empty, got 0"

    for name in ("validation_data", "test_data"):
        data = replace(config.data, **{name: (str(tmp_path / "b"),)})
        with pytest.raises(DataTooShortError, match=f"expected a {name.removesuffix('_data')} {expected}"):
            TextTask.from_config(replace(config, data=data))


def test_too_few_lines_are_refused(task_of):
    with pytest.raises(DataTooShortError, match=r"expected lines for training, .*got 2 lines, 2 of them distinct"):
        task_of("ab\ncd\n")


def test_one_distinct_character_is_not_enough(task_of):
    with pytest.raises(DataError, match="at least two distinct characters, got 'a' over and over"):
        task_of("".join("a" * length + "\n" for length in range(1, 40)))


# ---------------------------------------------------------------------- batches, loss and figures


def test_a_batch_holds_begin_tokens_ends_and_padding_in_their_places(task_of):
    task = task_of("\n".join(names(50)), batch_size=7)
    batch = next(iter(task.batches("train", seed=0)))

    lines = []
    for row, length in enumerate(batch.lengths.tolist()):
        inputs, targets = batch.inputs[:length, row], batch.targets[:length, row]
        assert inputs[0] == BOS_ID
        assert torch.equal(inputs[1:], targets[:-1])
        assert targets[-1] == EOS_ID
        assert (batch.targets[length:, row] < 0).all()
        lines.append(task.data.tokenizer.decode(targets[:-1].numpy()))
    assert len(lines) == 7
    assert set(lines) <= set(texts(task, "train"))


def test_a_pass_reads_every_training_line_once(task_of):
    task = task_of("\n".join(names(50)), batch_size=7)
    batches = iter(task.batches("train", seed=3))

    rows = [
        task.data.tokenizer.decode(batch.targets[: length - 1, row].numpy())
        for batch in (next(batches) for _ in range(task.num_batches("train")))
        for row, length in enumerate(batch.lengths.tolist())
    ]

    assert Counter(rows) == Counter(texts(task, "train"))


def one_line_at_a_time(task, model, part):
    """Return the cost of each line of a part in nats, by itself and without any padding; and the targets of each."""
    costs, sizes = [], []
    lines = task.data.lines(part)
    for number in range(len(lines)):
        ids = lines.read(number)
        targets = torch.from_numpy(np.append(ids, EOS_ID))
        inputs = torch.from_numpy(np.append(BOS_ID, ids))
        labels = None if lines.labels is None else torch.tensor([int(lines.labels[number])])
        with torch.no_grad():
            logits = model(inputs[:, None], labels=labels)[0][:, 0]
        costs.append(functional.cross_entropy(logits, targets, reduction="sum").item())
        sizes.append(len(targets))
    return costs, sizes


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_padding_touches_neither_loss_nor_metric(task_of, cell):
    task = task_of("\n".join(names(60)), model={"cell": cell, "num_layers": 2})
    torch.manual_seed(0)
    model = task.build_model().eval()

    figures = evaluate(task, model, "validation", 0, torch.device("cpu"))

    costs, sizes = one_line_at_a_time(task, model, "validation")
    assert figures["loss"] == pytest.approx(sum(costs) / sum(sizes), rel=1e-5)
    assert task.data.size("validation") == sum(sizes)


def test_padding_touches_no_gradient(task_of):
    task = task_of("\n".join(names(60)), batch_size=60, model={"dropout": 0.0, "output_dropout": 0.0})
    torch.manual_seed(0)
    model = task.build_model().double()
    batch = next(iter(task.batches("train", seed=0)))
    assert len(set(batch.lengths.tolist())) > 5

    task.loss(model, batch, None).loss.backward()
    together = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}

    model.zero_grad()
    total = 0
    for row, length in enumerate(batch.lengths.tolist()):
        logits = model(batch.inputs[:length, row, None])[0][:, 0]
        total = total + functional.cross_entropy(logits, batch.targets[:length, row], reduction="sum")
    (total / int(batch.lengths.sum())).backward()
    for name, parameter in model.named_parameters():
        assert torch.allclose(parameter.grad, together[name], atol=1e-9), name


def test_no_state_is_carried_from_batch_to_batch(task_of):
    task = task_of("\n".join(names(50)))
    batches = iter(task.batches("train", seed=0))

    first, second = next(batches), next(batches)

    assert task.loss(task.build_model(), first, None).state is None
    assert first.starts_anew
    assert second.starts_anew


def test_baselines_are_measured_on_the_same_targets(task_of):
    lines = names(80)
    task = task_of("\n".join(lines))
    train, validation = texts(task, "train"), texts(task, "validation")
    counts = Counter(symbol for line in train for symbol in [*line, "\n"])
    vocab_size, total = len(task.data.tokenizer), sum(counts.values())

    figures = task.baselines("validation")

    targets = [symbol for line in validation for symbol in [*line, "\n"]]
    # one is added to every count, those of symbols that never occur included
    expected = -sum(np.log((counts[symbol] + 1) / (total + vocab_size)) for symbol in targets) / len(targets)
    assert figures["unigram"]["loss"] == pytest.approx(expected, rel=1e-6)


def test_evaluations_while_training_read_evenly_spaced_lines(task_of):
    task = task_of("\n".join(names(80)), max_evaluation_tokens=25)
    whole = texts(task, "validation")
    spacing = -(-sum(len(line) + 1 for line in whole) // 25)
    assert spacing > 2

    batches = list(task.batches("validation", seed=0))

    read = Counter(
        task.data.tokenizer.decode(batch.targets[: length - 1, row].numpy())
        for batch in batches
        for row, length in enumerate(batch.lengths.tolist())
    )
    assert read == Counter(whole[::spacing])
    assert len(batches) == task.num_batches("validation") == 1
    unlimited = task_of("\n".join(names(80)), max_evaluation_tokens=None)
    assert task.baselines("validation")["unigram"] != unlimited.baselines("validation")["unigram"]
    assert "(max_evaluation_tokens)" in "\n".join(task.summary(task.build_model()))


# ---------------------------------------------------------------------- long lines


def test_lines_longer_than_max_length_are_cut_without_an_end_and_counted(task_of):
    lines = [*names(40, letters="abc"), "abcabcabcabcabc", "cbacbacbacbacba"]
    task = task_of("\n".join(lines), max_length=10, validation_fraction=0.1, test_fraction=0.1)
    over = [line for line in lines if len(line) > 10]

    said = task.summary(task.build_model())

    assert f"{len(over)} lines are longer than 10 characters; {sum(map(len, over)) - 20} characters are cut off" in said
    for part in PARTS:
        expected = sum(min(len(line) + 1, 10 if len(line) > 10 else 99) for line in texts(task, part))
        assert task.data.size(part) == expected
    batch = next(iter(replaced(task, batch_size=99).batches("train", seed=0)))
    cut = int((batch.targets[batch.lengths - 1, torch.arange(len(batch.lengths))] != EOS_ID).sum())
    assert cut == sum(len(line) > 10 for line in texts(task, "train"))
    assert len(batch.inputs) == 10


def replaced(task, **options):
    return TextTask(task.data, replace(task.data_config, **options), task.model_config, task.sampling)


def test_without_a_limit_nothing_is_cut(task_of):
    task = task_of("\n".join([*names(40), "abc" * 300]), max_length=None)

    assert not any("longer" in line for line in task.summary(task.build_model()))
    assert sum(task.data.size(part) for part in PARTS) == sum(len(line) + 1 for line in names(40)) + 901


# ---------------------------------------------------------------------- tables and labels

ROWS = [(f"{name}", ("short", "long")[len(name) > 4]) for name in names(60)]


def table(delimiter=",", header=True):
    rows = [("name", "size", "kind")] if header else []
    rows += [(text, str(len(text)), label) for text, label in ROWS]
    return "".join(delimiter.join(row) + "\n" for row in rows)


def labelled(task):
    found = []
    for part in PARTS:
        numbers = task.data.lines(part).labels.tolist()
        names_of_labels = [task.data.facts.label_names[number] for number in numbers]
        found += zip(texts(task, part), names_of_labels, strict=True)
    return Counter(found)


@pytest.mark.parametrize(
    ("name", "content", "text_column", "label_column"),
    [
        ("names.csv", table(), "name", "kind"),
        ("names.tsv", table("\t"), "name", "kind"),
        ("names.csv", table(header=False), "1", "3"),
        ("names.tab", table("\t", header=False), "1", "3"),
    ],
)
def test_text_and_label_are_columns_by_name_or_by_number(task_of, name, content, text_column, label_column):
    task = task_of(content, name, sequences="auto", text_column=text_column, label_column=label_column)

    assert task.data_config.sequences == "lines"
    assert labelled(task) == Counter(ROWS)
    assert set(task.data.facts.label_names) == {"short", "long"}
    assert "; 2 labels" in task.summary(task.build_model())[0]


def test_a_column_without_labels_makes_lines(task_of):
    task = task_of(table(), "names.csv", sequences="auto", text_column="name")

    assert task.data_config.sequences == "lines"
    assert task.data.facts.label_names == ()
    assert all_texts(task) == Counter(text for text, _ in ROWS)


def test_quoted_fields_may_hold_delimiters_and_line_breaks(tmp_path):
    rows = [(f"{name}, and\nmore", "x") for name in names(20)]
    with open(tmp_path / "names.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("name", "kind"), *rows])

    task = TextTask.from_config(tiny_config(tmp_path / "names.csv", text_column="name", label_column="kind", **SHARES))

    assert "20 records held line breaks, which became spaces" in task.summary(task.build_model())
    assert all_texts(task) == Counter(text.replace("\n", " ") for text, _ in rows)


def test_the_label_may_be_the_name_of_the_file(tmp_path):
    groups = {"greek": names(20, 1), "latin": names(20, 2)}
    for name, lines in groups.items():
        (tmp_path / f"{name}.txt").write_text("\n".join(lines), encoding="utf-8")
    paths = [tmp_path / f"{name}.txt" for name in groups]

    task = TextTask.from_config(tiny_config(*paths, label_column="file", **SHARES))

    assert task.data_config.sequences == "lines"
    assert labelled(task) == Counter((line, name) for name, lines in groups.items() for line in lines)


def test_padding_and_labels_touch_each_line_as_if_it_were_alone(task_of):
    task = task_of(table(), "names.csv", text_column="name", label_column="kind")
    torch.manual_seed(0)
    model = task.build_model().eval()

    figures = evaluate(task, model, "test", 0, torch.device("cpu"))

    costs, sizes = one_line_at_a_time(task, model, "test")
    assert figures["loss"] == pytest.approx(sum(costs) / sum(sizes), rel=1e-5)
    swapped = replace(task.data.parts["test"], labels=1 - task.data.parts["test"].labels)
    other = replace(task.data, parts={**task.data.parts, "test": swapped})
    task.data = other
    assert evaluate(task, model, "test", 0, torch.device("cpu"))["loss"] != pytest.approx(figures["loss"], rel=1e-5)


def test_built_in_lists_need_no_options_but_the_label():
    plain = TextTask.from_config(tiny_config("builtin:place-names"))
    with_regions = TextTask.from_config(tiny_config("builtin:place-names", label_column="region"))

    assert (plain.data_config.sequences, plain.data_config.text_column) == ("lines", "place")
    assert plain.data_config.batch_size == 4
    assert plain.data.facts.label_names == ()
    assert "Europe" in with_regions.data.facts.label_names
    assert len(plain.data.parts["train"]) > 300


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"text_column": "nam"}, DataError, r"expected one column 'nam' in .*got none among 'name', 'size', 'kind'"),
        ({"text_column": "name", "label_column": "king"}, DataError, "did you mean 'kind'"),
        (
            {"text_column": "name", "label_column": "3"},
            ConfigError,
            "text_column = name and label_column = 3: .*two names",
        ),
        ({"label_column": "kind"}, ConfigError, "expected text_column with label_column = kind, got none"),
        ({"sequences": "lines"}, DataError, "expected the column of .*names.csv that holds the text, got none"),
    ],
)
def test_columns_that_do_not_fit_are_refused(task_of, options, error, message):
    with pytest.raises(error, match=message):
        task_of(table(), "names.csv", **{"sequences": "auto", **options})


def test_columns_of_a_plain_text_file_are_refused(task_of):
    with pytest.raises(DataError, match="expected a table for the column 'name'"):
        task_of("\n".join(names(40)), text_column="name")


@pytest.mark.parametrize("column", ["text_column", "label_column"])
def test_columns_do_not_go_with_a_stream(column):
    with pytest.raises(ConfigError, match=f"expected sequences = lines with {column}, got stream"):
        DataConfig(sequences="stream", **{column: "1"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sequences": "lines", "vary_bptt": True}, "expected sequences = stream with vary_bptt, got lines"),
        ({"tokenizer": "bpe", "min_count": 2}, "expected no min_count with tokenizer = bpe"),
    ],
)
def test_options_without_a_meaning_are_refused(task_of, options, message):
    with pytest.raises(ConfigError, match=message):
        task_of("\n".join(names(40)), **options)


def test_a_data_set_of_lines_is_no_stream():
    with pytest.raises(ConfigError, match="expected sequences = lines for builtin:place-names, a list of lines, got"):
        TextTask.from_config(tiny_config("builtin:place-names", sequences="stream"))


def test_a_label_that_only_held_out_files_have_is_reported(tmp_path):
    for name, letters in (("low", "abc"), ("high", "xyz")):
        (tmp_path / f"{name}.txt").write_text("\n".join(names(20, letters=letters)))
    given = {"validation_data": (str(tmp_path / "high.txt"),), "label_column": "file"}

    task = TextTask.from_config(tiny_config(tmp_path / "low.txt", **given))

    assert "no training line has the label high: the model learns nothing of it" in task.summary(task.build_model())
