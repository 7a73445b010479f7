"""Which fonts of this machine can draw a text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_FIRST_FAMILY = "DejaVu Sans"  # comes with matplotlib
_NO_GLYPHS = "Last Resort"  # a font of boxes that say what is missing


def drawable(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return texts as matplotlib can draw them here, and the families of fonts that it needs for that.

    A character that no font of the machine has becomes its code point: U+65E5.
    """
    families, missing = font_families(set("".join(texts)))
    table = {ord(character): f"U+{ord(character):04X}" for character in missing}
    return [text.translate(table) for text in texts], families


def font_families(characters: Iterable[str]) -> tuple[list[str], set[str]]:
    """Return the families that have some characters between them, and the characters that none of the machine has."""
    from matplotlib import font_manager

    families = [_FIRST_FAMILY]
    missing = _lacking(font_manager.findfont(_FIRST_FAMILY), set(characters))
    if not missing:
        return families, missing
    for entry in sorted(font_manager.fontManager.ttflist, key=lambda entry: (entry.name, entry.fname)):
        if entry.style != "normal" or entry.name.startswith(_NO_GLYPHS):
            continue
        lacking = _lacking(entry.fname, missing)
        if lacking != missing and entry.name not in families:
            families.append(entry.name)
        missing = lacking
    return families, missing


def _lacking(path: str, characters: set[str]) -> set[str]:
    """Return the characters that a font has no glyph for; all, where its file cannot be read."""
    from matplotlib import font_manager

    try:
        font = font_manager.get_font(path)
    except (OSError, RuntimeError):
        return characters  # listed but gone, or of bitmaps only
    return {character for character in characters if not font.get_char_index(ord(character))}
