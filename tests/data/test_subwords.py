import copy
import json
import pickle
import subprocess
import sys
import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data import BPETokenizer, train_bpe
from recurra.data.subword_library import BYTE_SYMBOLS
from recurra.data.subwords import MIN_VOCAB_SIZE
from recurra.errors import ArgumentError, VocabularyError

WORDS = ["low", "lower", "lowest", "new", "newer", "wide", "d\u00e9j\u00e0", "it's", "we'll", "2024", "--", "<unk>"]
TEXT = "".join(f"{first} {second}, {third}.\n" for first in WORDS for second in WORDS for third in WORDS[:3])
TOKENIZER = train_bpe([TEXT], 300)
UTF8 = st.text(st.sampled_from("lowernws \n\t'<unk>eos") | st.characters(codec="utf-8"))
# characters whose categories no version of Unicode has changed
STABLE = st.text("lowernwid d\u00e9j\u00e0's vl2024-.,<unk> \n\t\u4e2d\u00b2!")
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")


def pieces_of(line):
    """What the pattern of GPT-2 cuts a line into: 's|'t|...| ?letters| ?digits| ?others|space(?!other)|space."""

    def class_of(character):
        category = unicodedata.category(character)[0]
        return "space" if character.isspace() else category if category in "LN" else "other"

    pieces, start = [], 0
    while start < len(line):
        contraction = next((c for c in CONTRACTIONS if line.startswith(c, start)), "")
        stop = start + len(contraction)
        if not contraction:
            first = start + (line[start] == " " and start + 1 < len(line) and not line[start + 1].isspace())
            stop = first + 1
            while stop < len(line) and class_of(line[stop]) == class_of(line[first]):
                stop += 1
            if class_of(line[first]) == "space" and stop < len(line) and stop - start > 1:
                stop -= 1
        pieces.append(line[start:stop])
        start = stop
    return pieces


def oracle(tokenizer, text):
    """Byte-pair encoding as its paper says it: the earliest merge first, wherever it is found."""
    content = json.loads(tokenizer._text)["model"]
    rank = {tuple(pair): number for number, pair in enumerate(content["merges"])}
    ids = []
    for number, line in enumerate(text.split("\n")):
        ids += [3] if number else []
        for piece in pieces_of(line):
            parts = [BYTE_SYMBOLS[byte] for byte in piece.encode()]
            while ranked := [(rank[pair], pair) for pair in pairwise(parts) if pair in rank]:
                _, (first, second) = min(ranked)
                merged, position = [], 0
                while position < len(parts):
                    found = parts[position : position + 2] == [first, second]
                    merged.append(first + second if found else parts[position])
                    position += 2 if found else 1
                parts = merged
            ids += [content["vocab"][part] for part in parts]
    return ids


@given(text=UTF8)
def test_every_text_comes_back(text):
    ids = TOKENIZER.encode(text)

    assert ids.dtype == np.int64
    assert TOKENIZER.decode(ids) == text
    assert TOKENIZER.char_widths[ids].sum() == len(text)
    assert TOKENIZER.unknown_in(text) == []


@given(text=STABLE)
def test_ids_are_those_of_the_definition(text):
    assert TOKENIZER.encode(text).tolist() == oracle(TOKENIZER, text)


def test_ids_do_not_depend_on_what_was_encoded_before():
    text = "lowest newness " + "w" * 3000 + "\n"

    tokenizer = train_bpe([TEXT], 300)
    first = tokenizer.encode(text).tolist()
    tokenizer.encode(TEXT)

    assert tokenizer.encode(text).tolist() == first
    assert tokenizer.decode(first) == text


def test_what_is_remembered_has_a_bound(monkeypatch):
    monkeypatch.setattr("recurra.data.subwords._MAX_REMEMBERED", 3)
    tokenizer = train_bpe([TEXT], 300)

    for _ in range(2):
        assert tokenizer.decode(tokenizer.encode(TEXT)) == TEXT
        tokenizer.encode("a\n")
        assert len(tokenizer._ids_of_unit) <= 3


def test_the_first_merges_join_the_most_frequent_pairs():
    pairs = Counter()
    for line in TEXT.split("\n"):
        for piece in pieces_of(line):
            symbols = [BYTE_SYMBOLS[byte] for byte in piece.encode()]
            pairs.update(pairwise(symbols))
    most = max(pairs.values())

    first = tuple(json.loads(TOKENIZER._text)["model"]["merges"][0])

    assert pairs[first] == most


def test_text_that_looks_like_a_special_symbol_is_text():
    text = "a <unk> <pad><bos>\n<eos>"

    ids = TOKENIZER.encode(text)

    assert np.isin(ids, [0, 1, 2]).sum() == 0
    assert (ids == 3).sum() == 1
    assert TOKENIZER.decode(ids) == text


def test_training_on_special_names_makes_no_special_symbol():
    tokenizer = train_bpe(["<unk><unk> <eos>\n" * 50], 400)

    assert tokenizer.decode(tokenizer.encode("<unk><eos>\n")) == "<unk><eos>\n"
    assert tokenizer.vocabulary.symbols[:4] == ("<pad>", "<unk>", "<bos>", "<eos>")
    assert not np.isin(tokenizer.encode("<unk><eos>"), [0, 1, 2, 3]).any()


def test_no_token_goes_across_a_line_end():
    tokenizer = train_bpe(["ab\nab\nab\n\n" * 20], 300)

    assert [symbol for symbol in tokenizer.vocabulary.known if BYTE_SYMBOLS[10] in symbol] == [BYTE_SYMBOLS[10]]
    assert tokenizer.encode("ab\n\nab").tolist() == [MIN_VOCAB_SIZE, 3, 3, MIN_VOCAB_SIZE]


def test_lone_surrogates_are_unknown():
    text = "low\ud800 \udfff\ud800"

    ids = TOKENIZER.encode(text)

    assert TOKENIZER.unknown_in(text) == ["\ud800", "\udfff"]
    assert (ids == 1).sum() == 3
    assert TOKENIZER.decode(ids) == "low\ufffd \ufffd\ufffd"
    assert len(train_bpe(["ab\ud800ab"], MIN_VOCAB_SIZE + 1)) == MIN_VOCAB_SIZE + 1


def test_special_ids_and_broken_bytes_are_decoded():
    euro = TOKENIZER.encode("\u20ac").tolist()

    assert len(euro) == 3
    assert TOKENIZER.decode([2, *euro, 3, 0, 1]) == "\u20ac\n\ufffd"
    assert TOKENIZER.decode(euro[:2]) == "\ufffd"
    assert TOKENIZER.char_widths[[0, 1, 2, 3]].tolist() == [0, 1, 0, 1]


def test_characters_come_once_their_bytes_are_whole():
    decoder = TOKENIZER.decoder()
    ids = TOKENIZER.encode("\u20ac").tolist()

    assert [decoder.feed(number) for number in ids] == ["", "", "\u20ac"]
    assert decoder.feed(ids[0]) == ""
    assert decoder.flush() == "\ufffd"


def test_training_gives_the_same_tokenizer_in_every_process():
    code = f"from recurra.data import train_bpe; print(train_bpe([{TEXT!r}], 300).fingerprint)"

    runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]

    assert {run.stdout.strip() for run in runs} == {TOKENIZER.fingerprint}
    assert [run.stderr for run in runs] == ["", ""]


@pytest.mark.parametrize("length", [1, 7, 1000])
def test_how_the_text_is_parted_does_not_change_what_is_trained(length):
    parts = [TEXT[start : start + length] for start in range(0, len(TEXT), length)]

    assert train_bpe(parts, 300).fingerprint == TOKENIZER.fingerprint


def test_a_short_text_gives_fewer_ids():
    assert len(TOKENIZER) == 300
    assert len(train_bpe(["abc"], 1000)) == MIN_VOCAB_SIZE == 260
    assert len(train_bpe([], 260)) == 260


def test_too_few_ids_are_refused():
    with pytest.raises(ArgumentError, match=r"at least 260 \(4 special symbols and 256 bytes\), got 259"):
        train_bpe([TEXT], 259)


def test_errors_of_the_text_come_through():
    def texts():
        yield "a b c\n"
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        train_bpe(texts(), 300)


def test_pickling_keeps_a_tokenizer():
    loaded = pickle.loads(pickle.dumps(TOKENIZER))

    assert loaded.fingerprint == TOKENIZER.fingerprint
    assert loaded.encode(TEXT[:100]).tolist() == TOKENIZER.encode(TEXT[:100]).tolist()


def test_the_file_works_in_the_library_itself(tmp_path):
    from tokenizers import Tokenizer

    TOKENIZER.save(tmp_path)
    library = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))

    assert library.encode("lowest it's\tnew").ids == TOKENIZER.encode("lowest it's\tnew").tolist()
    assert library.decode(TOKENIZER.encode("lowest d\u00e9j\u00e0").tolist()) == "lowest d\u00e9j\u00e0"


def test_a_forked_process_can_encode():
    code = """
import os, sys
from recurra.data import train_bpe
tokenizer = train_bpe(["a b c d\\n" * 1000], 262)
tokenizer.encode("".join(f"{number} " for number in range(5000)))
child = os.fork()
if not child:
    whole = tokenizer.decode(tokenizer.encode("".join(f"x{number} " for number in range(5000))))
    os._exit(0 if whole.endswith("x4999 ") else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, timeout=60
    )

    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")


def test_the_library_is_loaded_on_first_use():
    code = "import sys, recurra.data; print('tokenizers' in sys.modules)"

    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert run.stdout.strip() == "False"


def test_the_symbols_of_bytes_are_those_of_the_library():
    from tokenizers.pre_tokenizers import ByteLevel

    assert sorted(BYTE_SYMBOLS) == sorted(ByteLevel.alphabet())
    for byte in range(128):
        piece = "".join(part for part, _ in ByteLevel(add_prefix_space=False).pre_tokenize_str(chr(byte)))
        assert piece == BYTE_SYMBOLS[byte]


def changed(change):
    content = copy.deepcopy(json.loads(TOKENIZER._text))
    change(content)
    return json.dumps(content)


def swap_ids(content):
    vocab = content["model"]["vocab"]
    vocab["<pad>"], vocab["<unk>"] = 1, 0


def leave_gap(content):
    content["model"]["vocab"]["zz"] = 1000


def drop_byte(content):
    vocab = content["model"]["vocab"]
    number = vocab.pop("!")
    vocab["!!"] = number


def add_symbols(content, *symbols):
    vocab = content["model"]["vocab"]
    vocab.update({symbol: len(vocab) + number for number, symbol in enumerate(symbols)})


def merge_special(content):
    add_symbols(content, "<p", "ad>", "d>")
    content["model"]["merges"] += [["<", "p"], ["d", ">"], ["a", "d>"], ["<p", "ad>"]]


def add_token(content):
    token = {"content": "low", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    number = content["model"]["vocab"]["low"]
    content["added_tokens"].append({"id": number, **token, "special": False})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.pop("model"), "expected a tokenizer with symbols and their ids in F, got other JSON"),
        (lambda content: content["model"].update(vocab=[]), "symbols and their ids in F, got other JSON"),
        (lambda content: content["model"]["vocab"].update(low="4"), "symbols and their ids in F, got other JSON"),
        (swap_ids, "expected the ids 0 to 3 in F to be <pad>, <unk>, <bos>, <eos>; got <unk>, <pad>, <bos>, <eos>"),
        (leave_gap, "expected ids from 0 on without gaps in F, got others"),
        (drop_byte, "expected all bytes, and sequences of bytes, as symbols in F"),
        (lambda content: add_symbols(content, "a b"), "expected all bytes, and sequences of bytes, as symbols in F"),
        (lambda content: content["model"]["merges"].append(["low", "zz"]), "expected a tokenizer in F, got: "),
        (lambda content: content["model"].update(type="Unigram"), 'type of the model in F to be "BPE", got "Unigram"'),
        (merge_special, "expected no merge in F to make <pad>, got one"),
        (
            lambda content: content.update(normalizer={"type": "NFC"}),
            'expected normalizer in F to be null, got {"type"',
        ),
        (lambda content: content.update(pre_tokenizer=None), 'expected pre_tokenizer in F to be {"type".*, got null'),
        (
            lambda content: content["model"].update(dropout=0.5),
            "expected dropout of the model in F to be null, got 0.5",
        ),
        (lambda content: content["added_tokens"].pop(), r"expected special tokens in F to be \[.*\], got \["),
        (add_token, "expected number of added tokens in F to be 4, got 5"),
    ],
)
def test_files_by_other_rules_are_refused(change, message):
    with pytest.raises(VocabularyError, match=message) as error:
        BPETokenizer(changed(change), origin="F")

    assert error.value.hint == "take the file that BPETokenizer.save wrote, or train anew"


def test_a_damaged_file_is_refused(tmp_path):
    TOKENIZER.save(tmp_path)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(VocabularyError, match=r"expected a tokenizer in .*tokenizer\.json, got broken JSON"):
        BPETokenizer.load(tmp_path)
