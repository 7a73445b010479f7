import pytest
from rich.console import Console

from recurra.cli.metrics_table import metrics_table

BASELINES = {
    split: {"majority class": {"accuracy": 0.25, "macro_f1": 0.1}, "logistic regression": {"accuracy": 0.5}}
    for split in ("validation", "test")
}
LAST = {"step": 1200, "validation": {"accuracy": 0.625, "macro_f1": 0.61, "loss": 0.75}}
BEST = {
    "step": 1000,
    "validation": {"accuracy": 0.75, "macro_f1": 0.7, "loss": 0.5},
    "test": {"accuracy": 0.7, "macro_f1": 0.6875, "loss": 0.55},
}


def shown(result, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(metrics_table(result))
    return [line.rstrip() for line in capture.get().splitlines()]


def test_each_part_has_a_block_and_each_metric_a_column():
    lines = shown({"last": LAST, "best": BEST, "baselines": BASELINES})

    assert [line.split() for line in lines] == [
        ["validation", "accuracy", "macro", "f1", "loss"],
        ["majority", "class", "0.2500", "0.1000"],
        ["logistic", "regression", "0.5000"],
        ["this", "model,", "last", "(step", "1,200)", "0.6250", "0.6100", "0.7500"],
        ["this", "model,", "best", "(step", "1,000)", "0.7500", "0.7000", "0.5000"],
        [],
        ["test"],
        ["majority", "class", "0.2500", "0.1000"],
        ["logistic", "regression", "0.5000"],
        ["this", "model,", "best", "(step", "1,000)", "0.7000", "0.6875", "0.5500"],
    ]
    # a figure stands below the name of its metric
    assert {line.index("0.5000") + 6 for line in lines if "regression" in line} == {lines[0].index("accuracy") + 8}


def test_where_the_last_weights_are_the_best_they_have_one_row():
    lines = shown({"last": BEST, "best": BEST, "baselines": {}})

    assert sum("this model" in line for line in lines) == 2
    assert not any("best" in line for line in lines)


def test_a_run_without_test_part_and_baselines_has_one_block():
    lines = shown({"last": LAST, "best": LAST, "baselines": {}})

    assert len(lines) == 2
    assert "test" not in "".join(lines)


def test_a_column_of_large_figures_has_two_decimals():
    row = {"bleu": 35.2178, "loss": 1.23456, "perplexity": float("inf")}
    moment = {"step": 3, "validation": row}

    lines = shown({"last": moment, "best": moment, "baselines": {"validation": {"copy": {"bleu": 1.5}}}})

    assert lines[1].split() == ["copy", "1.50"]
    assert lines[2].split()[-3:] == ["35.22", "1.2346", "inf"]


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_number_is_cut_on_a_narrow_terminal(width):
    result = {"last": LAST, "best": BEST, "baselines": BASELINES}

    said = "\n".join(shown(result, width))

    for number in ("0.6250", "0.6100", "0.7500", "0.6875", "0.5500"):
        assert number in said
    assert "\u2026" not in said
    assert max(map(len, said.splitlines())) <= width


def test_names_with_brackets_are_no_markup():
    baselines = {"validation": {"most frequent [red]tag": {"accuracy": 0.5}}}

    assert "[red]tag" in "\n".join(shown({"last": LAST, "best": LAST, "baselines": baselines}))
