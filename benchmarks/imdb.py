"""How well do recurrent networks tell good film reviews from bad ones, and what do the usual additions bring?

The two networks of a university's practical: embedding 128, hidden 256, Adam, binary cross-entropy with logits, five
passes; a vanilla RNN that is read at its last step, then a bidirectional LSTM. Then, for the LSTM, pre-trained vectors,
dropout, a second layer and maximum pooling, each alone and all together. Sequences are never padded into a state, as
the practical's packing is for; `make bench NAME=classification_speed` shows what padding does. A tenth of the training
half validates and chooses the pass; the test half is measured once. Needs the data sets imdb and glove.
"""

from __future__ import annotations

import sys

from support import commands
from support.trainings import Training, figures, parse, train_all

COMMON = ("--data", "imdb", "--embedding-size", "128", "--hidden-size", "256", "--max-length", "256", "--keep", "end")
COMMON += ("--optimizer", "adam", "--lr", "0.001", "--weight-decay", "0", "--schedule", "constant")
COMMON += ("--input-dropout", "0", "--num-samples", "0", "--batch-size", "32")
FIVE = ("--num-epochs", "5", "--num-validations", "5")
THREE = ("--num-epochs", "3", "--num-validations", "6")
PLAIN = ("--pooling", "last", "--output-dropout", "0")
DROPOUT = ("--input-dropout", "0.3", "--output-dropout", "0.5")
VECTORS = ("--embedding-size", "50", "--vectors", "glove")
RNN = (*COMMON, "--cell", "elman", "--no-bidirectional", *PLAIN)
LSTM = (*COMMON, "--cell", "lstm")

TRAININGS = {
    "rnn": Training("classify", (*RNN, *FIVE), "vanilla RNN, last state"),
    "lstm": Training("classify", (*LSTM, *PLAIN, *FIVE), "bidirectional LSTM, last states"),
    "vectors": Training("classify", (*LSTM, *PLAIN, *VECTORS, *THREE), "+ GloVe vectors (50, tuned)"),
    "dropout": Training("classify", (*LSTM, *PLAIN, *DROPOUT, *THREE), "+ dropout"),
    "layers": Training("classify", (*LSTM, *PLAIN, "--num-layers", "2", *THREE), "+ second layer"),
    "max": Training("classify", (*LSTM, "--pooling", "max", "--output-dropout", "0", *THREE), "+ maximum over steps"),
    "together": Training(
        "classify",
        (*LSTM, "--pooling", "max", "--num-layers", "2", "--dropout", "0.3", *VECTORS, *DROPOUT, *THREE),
        "all together",
    ),
    "best": Training("classify", (*LSTM, "--pooling", "max", *DROPOUT, *THREE), "dropout and maximum"),
    "cnn": Training("classify", (*LSTM, "--model", "cnn", *DROPOUT, *THREE), "convolutions, equal parameters"),
    "mlp": Training("classify", (*LSTM, "--model", "mlp", *DROPOUT, *THREE), "mean and MLP, equal parameters"),
}


def main() -> int:
    """Run the experiment."""
    options = parse(__doc__ or "", "imdb", TRAININGS)
    commands.need_data("imdb")
    results = train_all(TRAININGS, options)
    columns = [("validation", "accuracy"), ("test", "accuracy"), ("test", "macro_f1")]
    print("\n" + figures(results, TRAININGS, columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
