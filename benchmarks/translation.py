"""How well do encoder and decoder translate: French to English, and Multi30k's captions from German to English?

French to English is first the PyTorch tutorial's job: pairs of fewer than ten words whose English begins with "i am",
"he is" and the like, in ASCII, a GRU of 256, teacher forcing of one half; here on pairs that are held out, with no
sentence on two sides. Then the whole file, with attention. Multi30k is measured on its validation part, which also
chooses the pass, as its test parts are not among the data sets here. BLEU by sacrebleu, of lower-cased text where
`lowercase` or `ascii` says so; each run keeps the signature. Needs eng-fra and multi30k.
"""

from __future__ import annotations

import sys

from support import commands
from support.trainings import Training, figures, parse, train_all

PREFIXES = ("i am ", "i m ", "he is", "he s ", "she is", "she s ", "you are", "you re ")
PREFIXES += ("we are", "we re ", "they are", "they re ")
FRENCH = ("--data", "eng-fra", "--swap")
TUTORIAL = (*FRENCH, "--normalization", "ascii", "--max-words", "9", "--tgt-prefixes", *PREFIXES)
TUTORIAL += ("--cell", "gru", "--hidden-size", "256", "--min-count", "1", "--batch-size", "32")
TUTORIAL += ("--input-dropout", "0.1", "--output-dropout", "0.1", "--num-epochs", "25", "--num-validations", "25")
HALF = ("--teacher-forcing-ratio", "0.5", "--teacher-forcing-unit", "sequence")
WHOLE = (*FRENCH, "--hidden-size", "256", "--num-epochs", "4", "--num-validations", "8", "--num-samples", "3")
CAPTIONS = ("--data", "multi30k", "--hidden-size", "320", "--embedding-size", "256", "--tie-weights")
CAPTIONS += ("--input-dropout", "0.3", "--output-dropout", "0.3", "--label-smoothing", "0.1")
CAPTIONS += ("--num-epochs", "9", "--num-validations", "9", "--num-samples", "3")

TRAININGS = {
    "tutorial": Training("translate", (*TUTORIAL, *HALF), "tutorial: attention, teacher forcing 0.5 a sequence"),
    "forced": Training("translate", TUTORIAL, "the same, teacher forcing 1"),
    "fixed": Training(
        "translate", (*TUTORIAL, "--attention", "none", "--context-input"), "the same, fixed context vector"
    ),
}
WHOLE_TRAININGS = {"whole": Training("translate", WHOLE, "GRU 256, additive attention")}
CAPTION_TRAININGS = {"multi30k": Training("translate", CAPTIONS, "GRU 320, additive attention")}


def main() -> int:
    """Run the experiment."""
    groups = (TRAININGS, WHOLE_TRAININGS, CAPTION_TRAININGS)
    options = parse(__doc__ or "", "translation", TRAININGS | WHOLE_TRAININGS | CAPTION_TRAININGS)
    for name in ("eng-fra", "multi30k"):
        commands.need_data(name)
    wanted = options.only
    for trainings in groups:
        options.only = [name for name in wanted or trainings if name in trainings]
        if options.only:
            columns = [(part, metric) for part in ("validation", "test") for metric in ("bleu", "chrf")]
            print("\n" + figures(train_all(trainings, options), trainings, columns, factor=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
