"""The library tokenizers: how it is set up for subwords, and what is accepted of its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from recurra.data.json_files import parse_json
from recurra.data.vocabulary import LINE_END, SPECIAL_SYMBOLS
from recurra.errors import VocabularyError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Library

_HINT = "take the file that BPETokenizer.save wrote, or train anew"
_RULES = ("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder")


def _byte_symbols() -> tuple[str, ...]:
    """Return the character that stands for each byte in the symbols of byte-level BPE, as GPT-2 chose them.

    Printable characters of Latin-1 stand for themselves, the other bytes are numbered from U+0100 on.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in printable else next(others)) for byte in range(256))


BYTE_SYMBOLS = _byte_symbols()


def build_library() -> Library:
    """Return a byte-level BPE without merges that cuts text at line ends, then into pieces as GPT-2 does."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    library = Tokenizer(models.BPE())
    lines = pre_tokenizers.Split(LINE_END, "isolated")
    library.pre_tokenizer = pre_tokenizers.Sequence([lines, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    library.decoder = decoders.ByteLevel()
    return library


def parse_library(text: str, *, origin: str) -> tuple[Library, list[str], list[list[str]]]:
    """Return the byte-level BPE in a file of the library, its symbols from id 4 on, and its merges in their order.

    Raises:
        VocabularyError: When the text is something else, or works by other rules than ``build_library`` sets.
    """
    from tokenizers import Tokenizer

    content = parse_json(text, what="a tokenizer", origin=origin)
    known = _known_symbols(content, origin)
    expected = json.loads(build_library().to_str())
    # before the library reads them, as some make it panic
    for option in expected["model"].keys() - {"vocab", "merges"}:
        default = expected["model"][option]
        _check_equal(f"{option} of the model", content["model"].get(option, default), default, origin)
    try:
        library = Tokenizer.from_str(text)
    except Exception as error:  # the library raises nothing narrower
        raise VocabularyError(f"expected a tokenizer in {origin}, got: {error}", hint=_HINT) from error
    # text that looks like a special symbol is text
    library.encode_special_tokens = True
    content = json.loads(library.to_str())  # in the form that this version of the library gives it
    for part in _RULES:
        _check_equal(part, content[part], expected[part], origin)
    added = [token["content"] for token in content["added_tokens"] if token["special"]]
    _check_equal("special tokens", added, list(SPECIAL_SYMBOLS), origin)
    _check_equal("number of added tokens", len(content["added_tokens"]), len(SPECIAL_SYMBOLS), origin)
    merges = content["model"]["merges"]
    for first, second in merges:
        if first + second in SPECIAL_SYMBOLS:
            raise VocabularyError(f"expected no merge in {origin} to make {first + second}, got one", hint=_HINT)
    return library, known, merges


def _known_symbols(content: Any, origin: str) -> list[str]:
    model = content.get("model") if isinstance(content, dict) else None
    vocab = model.get("vocab") if isinstance(model, dict) else None
    if not isinstance(vocab, dict) or not all(type(number) is int for number in vocab.values()):
        raise VocabularyError(
            f"expected a tokenizer with symbols and their ids in {origin}, got other JSON", hint=_HINT
        )
    symbols = sorted(vocab, key=vocab.__getitem__)
    if [vocab[symbol] for symbol in symbols] != list(range(len(symbols))):
        raise VocabularyError(f"expected ids from 0 on without gaps in {origin}, got others", hint=_HINT)
    special, known = tuple(symbols[: len(SPECIAL_SYMBOLS)]), symbols[len(SPECIAL_SYMBOLS) :]
    if special != SPECIAL_SYMBOLS:
        raise VocabularyError(
            f"expected the ids 0 to 3 in {origin} to be {', '.join(SPECIAL_SYMBOLS)}; got {', '.join(special)}",
            hint=_HINT,
        )
    if not set("".join(known)) == set(BYTE_SYMBOLS) <= set(known):
        raise VocabularyError(f"expected all bytes, and sequences of bytes, as symbols in {origin}", hint=_HINT)
    return known


def _check_equal(what: str, got: object, expected: object, origin: str) -> None:
    if got != expected:
        raise VocabularyError(
            f"expected {what} in {origin} to be {json.dumps(expected)}, got {json.dumps(got)}", hint=_HINT
        )


__all__ = ["BYTE_SYMBOLS", "build_library", "parse_library"]
