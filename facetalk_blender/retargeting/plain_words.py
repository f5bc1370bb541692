"""Movements of a face in plain words of several languages, in any order and also written together.

A name is read in one language at a time: it has to consist of that language's words to the last letter. They stand for
words of plain English, and a few of those for a stem of ARKit, see `names`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .languages import (
    CHINESE,
    ENGLISH,
    FRENCH,
    GERMAN,
    ITALIAN,
    JAPANESE,
    KOREAN,
    PORTUGUESE,
    RUSSIAN,
    SHORT_SIDES,
    SPANISH,
)
from .names import BY_STEM, SIDES, Stem, Word, plain_letters, words_of

# By stems of ARKit; a stem alone that ends in a side is made by the side (jaw, mouth, look).
_MOVEMENTS = {
    "jawopen": "jaw open; jaw drop; jaw down; mouth open",
    "jawforward": "chin forward",
    "jaw": "jaw; chin",
    "mouth": "mouth",
    "look": "look; eye look",
    "eyelookup": "look up",
    "eyelookdown": "look down",
    "mouthpucker": "pucker; kiss; mouth kiss; mouth purse; mouth narrow; mouth point",
    "mouthfunnel": "funnel",
    "mouthstretch": "mouth spread",
    "mouthclose": "mouth together",
    "mouthsmile": "mouth corner up; mouth corner pull",
    "mouthfrown": "mouth corner down; mouth sad",
    "mouthrollupper": "mouth upper in; mouth upper suck",
    "mouthrolllower": "mouth lower in; mouth lower suck",
    "eyeblink": "blink; eye close; lid close; eye lid close; lid upper close; eye blink close; lid down; lid blink",
    "eyewide": "lid upper up; lid upper open; eye open up; eye wide open; lid wide",
    "eyesquint": "lid lower up; lid tight",
    "browouterup": "brow up",
    "browdown": "brow lower",
    "cheekpuff": "cheek blow",
    "cheeksquint": "cheek up",
    "nosesneer": "nose wrinkle",
    "tongueout": "tongue out stick",
}
# Of both sides these are moods, which a take does not have; with a side they are movements.
_SIDED = {
    "mouthsmile": "smile",
    "mouthfrown": "frown",
    "eyesquint": "squint",
    "eyeblink": "wink",
    "nosesneer": "sneer; snarl",
}


class _Language(NamedTuple):
    """A vocabulary: what words mean in English, longest first, and sides that are words of their own."""

    meanings: dict[str, tuple[str, ...]]
    sides: dict[str, str]


def _language(text: str, code: str = "") -> _Language:
    meanings: dict[str, tuple[str, ...]] = {}
    for row in text.split(";"):
        english, words = row.strip().split(":")
        meaning = tuple(word for word in english.split() if word != "-")
        for word in words.split():
            spelt_out = word.replace("ä", "ae").replace("ö", "oe").replace("ü", "ue")
            meanings |= dict.fromkeys((plain_letters(word), plain_letters(spelt_out)), meaning)
    return _Language(meanings, SIDES | SHORT_SIDES.get(code, {}))


IN_ENGLISH = _language(ENGLISH)
IN_OTHERS = tuple(
    _language(text, code)
    for text, code in (
        (GERMAN, "de"), (FRENCH, "fr"), (SPANISH, "es"), (ITALIAN, "it"), (PORTUGUESE, "pt"), (RUSSIAN, "ru"),
        (CHINESE, "zh"), (JAPANESE, "ja"), (KOREAN, "ko"),
    )
)  # fmt: skip


def _rows(table: dict[str, str]) -> dict[tuple[str, ...], str]:
    return {tuple(sorted(row.split())): stem for stem, rows in table.items() for row in rows.split(";")}


def _names_in_words() -> dict[tuple[str, ...], str]:
    found = {}
    for stem, name in BY_STEM.items():
        texts = [word.text for word in words_of(name)]
        found[tuple(sorted(texts[:-1] if stem.side else texts))] = stem.text
    return found


MOVEMENTS = _names_in_words() | _rows(_MOVEMENTS)
SIDED_MOVEMENTS = _rows(_SIDED)


def read(words: Sequence[Word], language: _Language) -> Stem | None:
    """The stem of ARKit that words of a language mean, with the side; None when they mean none."""
    return next(filter(None, (_movement(texts) for texts in _in_english(words, language))), None)


def _in_english(words: Sequence[Word], language: _Language) -> Iterator[list[str]]:
    texts = [word.text for word in words]
    for at in dict.fromkeys((len(texts) - 1, 0)):
        side = language.sides.get(texts[at]) if len(texts) > 1 else None
        if side:
            rest = "".join(text for index, text in enumerate(texts) if index != at)
            yield from ([*pieces, side] for pieces in _split(rest, language))
    yield from _split("".join(texts), language)


def _split(text: str, language: _Language) -> Iterator[list[str]]:
    """What text means that consists of nothing but known words, for every way to part it."""
    if not text:
        yield []
    for end in range(len(text), 0, -1):
        meaning = language.meanings.get(text[:end])
        if meaning is not None:
            yield from ([*meaning, *rest] for rest in _split(text[end:], language))


def _movement(texts: list[str]) -> Stem | None:
    """What English words say; lips are the mouth, unless they part."""
    sides = {text for text in texts if text in ("left", "right")}
    if len(sides) > 1:
        return None
    words = sorted(text for text in texts if text not in sides)
    as_mouth = words if {"open", "close"} & set(words) else sorted("mouth" if text == "lip" else text for text in words)
    for key in (tuple(words), tuple(as_mouth)):
        stem = MOVEMENTS.get(key) or (SIDED_MOVEMENTS.get(key) if sides else None)
        if stem:
            return Stem(stem, next(iter(sides), ""))
    return None
