import json
import math

from recurra.tasks.shared.evaluation import Evaluation, Table


def test_figures_that_are_no_numbers_are_null_in_json():
    table = Table("finer", ("kind", "f1"), (("x", math.nan), ("y", 0.5)))
    evaluation = Evaluation("a file", 2, "sentences", {"loss": math.nan, "f1": 0.5, "perplexity": math.inf}, (table,))

    content = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))

    assert content["figures"] == {"loss": None, "f1": 0.5, "perplexity": None}
    assert content["tables"][0]["rows"] == [["x", None], ["y", 0.5]]
    assert (content["what"], content["size"], content["notes"]) == ("a file", 2, [])
