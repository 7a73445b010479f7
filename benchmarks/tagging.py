"""How well are words tagged: parts of speech of the English Web Treebank, and entities of WNUT 2017?

Without pre-trained vectors, beside the most frequent tag of each word. The test part of WNUT is not among the data sets
here, so its development part is what is measured, and chooses the pass, too. Needs ud-english-ewt and wnut17.
"""

from __future__ import annotations

import sys

from support import commands
from support.trainings import Training, figures, parse, train_all

COMMON = ("--num-samples", "0")
TREEBANK = ("--data", "ud-english-ewt", *COMMON, "--num-epochs", "8", "--num-validations", "8")
ENTITIES = ("--data", "wnut17", *COMMON, "--num-epochs", "15", "--num-validations", "15", "--output", "crf")

TRAININGS = {
    "pos": Training("tag", TREEBANK, "BiLSTM, words and characters"),
    "pos-words": Training("tag", (*TREEBANK, "--char-features", "none"), "BiLSTM, words alone"),
}
ENTITY_TRAININGS = {
    "entities": Training("tag", ENTITIES, "BiLSTM-CRF, words and characters"),
    "entities-vectors": Training("tag", (*ENTITIES, "--vectors", "glove"), "the same with GloVe vectors (50, tuned)"),
    "entities-softmax": Training("tag", (*ENTITIES, "--output", "softmax"), "softmax, tags constrained"),
}


def main() -> int:
    """Run the experiment."""
    options = parse(__doc__ or "", "tagging", TRAININGS | ENTITY_TRAININGS)
    commands.need_data("ud-english-ewt")
    commands.need_data("wnut17")
    wanted = options.only or [*TRAININGS, *ENTITY_TRAININGS]
    for trainings, columns in (
        (TRAININGS, [("validation", "accuracy"), ("test", "accuracy")]),
        (ENTITY_TRAININGS, [("validation", name) for name in ("precision", "recall", "f1", "accuracy")]),
    ):
        options.only = [name for name in wanted if name in trainings]
        if options.only:
            print("\n" + figures(train_all(trainings, options), trainings, columns))
    return 0


if __name__ == "__main__":
    sys.exit(main())
