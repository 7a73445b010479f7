"""What a person sees of a translator while it trains."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from recurra.data import Tokenizer, pad_ids
from recurra.tasks.translate.parts import TranslateData
from recurra.tasks.translate.translating import Search, translate

NUM_SAMPLES = 6


def sample_translations(model: nn.Module, data: TranslateData, search: Search) -> list[str]:
    """Return some validation sentences, always the same, each with its reference and its translation.

    A translation that is none of its source's references is marked.
    """
    part = data.parts["validation"]
    rows = part.first_of_source(part.evenly(NUM_SAMPLES)).tolist()
    src, lengths = pad_ids([part.src_ids[row] for row in rows])
    device = next(model.parameters()).device
    found = translate(model, src.to(device), lengths, data.tgt_tokenizer, search.greedy())
    texts = [translations[0].text for translations in found]
    sources = [part.sources[row] for row in rows]
    # what would be written for a reference, whatever white space that has
    known = [[_rewritten(text, data.tgt_tokenizer) for text in part.references[source]] for source in sources]
    num_met = sum(text in rewritten for text, rewritten in zip(texts, known, strict=True))
    references = [part.references[source] for source in sources]
    blocks = map(_block, sources, references, known, texts)
    return ["\n".join([f"[{num_met} of {len(rows)} validation sentences as in a reference]", *blocks])]


def _rewritten(text: str, tokenizer: Tokenizer) -> str:
    return tokenizer.decode(tokenizer.encode(text))


def _block(source: str, references: Sequence[str], rewritten: Sequence[str], translation: str) -> str:
    """Return a source (>), its first reference or the one that was met (=) and its translation (< or, if none, x)."""
    is_met = translation in rewritten
    shown = references[rewritten.index(translation) if is_met else 0]
    return f"> {source}\n= {shown}\n{'<' if is_met else 'x'} {translation}"
