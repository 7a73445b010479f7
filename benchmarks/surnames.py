"""Which language is a surname from? A recurrent network that reads characters, beside character n-grams.

The lists of the PyTorch tutorials, where each name stands as often as it stands in the lists; names are shared out so
that none is on two sides, also where several languages have it. Accuracy is of all test names, macro-F1 the mean over
languages, which the common ones do not rule. Needs the data set names.
"""

from __future__ import annotations

import sys

from support import commands
from support.trainings import Training, figures, parse, train_all

COMMON = ("--data", "names", "--num-epochs", "15", "--num-validations", "15", "--num-samples", "0")

TRAININGS = {
    "elman": Training("classify", (*COMMON, "--cell", "elman"), "tanh RNN, both directions"),
    "gru": Training("classify", (*COMMON, "--cell", "gru"), "GRU, both directions"),
    "lstm": Training("classify", (*COMMON, "--cell", "lstm"), "LSTM, both directions"),
    "balanced": Training(
        "classify", (*COMMON, "--cell", "gru", "--class-weights", "balanced"), "GRU, classes weighted alike"
    ),
}


def main() -> int:
    """Run the experiment."""
    options = parse(__doc__ or "", "surnames", TRAININGS)
    commands.need_data("names")
    results = train_all(TRAININGS, options)
    columns = [(part, metric) for part in ("validation", "test") for metric in ("accuracy", "macro_f1")]
    print("\n" + figures(results, TRAININGS, columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
