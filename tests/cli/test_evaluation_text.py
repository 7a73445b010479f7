from recurra.cli.evaluation_text import aligned, evaluation_lines
from recurra.tasks.shared.evaluation import Evaluation, Table

TABLE = Table("by class", ("class", "f1", "examples"), (("Greek", 0.5, 1000), ("[Irish]", 0.25, 7)))


def test_figures_tables_and_notes_stand_below_each_other():
    evaluation = Evaluation(
        what="names.csv",
        size=1007,
        unit="examples",
        figures={"accuracy": 0.75, "macro_f1": 0.375},
        tables=(TABLE,),
        notes=("3 empty texts left out",),
    )

    assert evaluation_lines(evaluation, step=1200) == [
        "names.csv: 1,007 examples, weights of step 1,200",
        "accuracy  0.7500",
        "macro f1  0.3750",
        "",
        "by class",
        "class        f1  examples",
        "Greek    0.5000     1,000",
        "[Irish]  0.2500         7",
        "",
        "3 empty texts left out",
    ]


def test_without_tables_and_notes_there_are_no_empty_lines():
    lines = evaluation_lines(Evaluation("validation", 1, "examples", {"loss": 0.5}), step=1)

    assert lines == ["validation: 1 example, weights of step 1", "loss  0.5000"]


def test_a_column_with_a_number_in_it_is_one_of_numbers():
    assert aligned([("name", "share"), ("a", 0.5), ("b", "none")]) == ["name   share", "a     0.5000", "b       none"]
    assert aligned([("ab", "c"), ("d", "ef")]) == ["ab  c", "d   ef"]
    assert aligned([]) == []
