"""What one name says, given the habits of its mesh: the words in front and behind that its names share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from .conventions import (
    ACTION_UNITS,
    ALPHABETS,
    MICROSOFT,
    SIDED_STEMS,
    STEMS,
    VISEME_WORDS,
    WHOLE_NAMES,
    Alphabet,
)
from .names import BY_STEM, FRONT_SIDES, QUARTERS, SIDES, VISEMES, Stem, Word, channel_of, stem_of, words_of
from .plain_words import IN_ENGLISH, IN_OTHERS, read

EXACT, SPELLING, FUZZY = "Exact", "Spelling", "Fuzzy"
UNITS, NUMBERED = "Action Units", "Microsoft"
PLAIN, FOREIGN = "Plain words", "Other languages"
# Kinds that have several keys for one channel which are alike, not parts of it: they share it.
SHARING = frozenset({UNITS, NUMBERED, *(alphabet.convention for alphabet in ALPHABETS)})

# Words in front of an expression that say nothing of it.
PREFIXES = frozenset(
    "ctrl expressions expression expr exp ex arkit ak a2f blendshape blendshapes blends blend shape shapes bs fcl facs "
    "facial jnt cbs morph morphs target key face head body teeth mesh geo grp lod vrc avatar char ue phm vsm".split()
)
SUFFIXES = frozenset("div bs ncl shape shapes morph target blendshape geo mesh key v ver version".split())
# Words that an expression itself consists of, however many names of a mesh begin or end with them.
MEANING = frozenset(
    "jaw mouth eye eyes brow brows eyebrow eyebrows cheek cheeks nose tongue lip lips lid eyelid blink look smile up "
    "down open close in out au tooth all brw eyelash eyelashes hair ha".split()
) | VISEME_WORDS | set(SIDES)  # fmt: skip
PARTED = frozenset({"jaw", "mouth", "cheek", "tongue"})
LIP_WORDS = frozenset({"mouth", "lip", "lips"})
MOUTH_WORDS = VISEME_WORDS | LIP_WORDS | set("mth vi mund bouche boca bocca 口 입 рот".split())
WORDED = frozenset({"Character Creator 3", "FaceFX"})  # whose mouths are words, which say something else of the lips
SINGULAR = {"eyebrow": "brow", "eyebrows": "brow", "brows": "brow", "eyes": "eye", "lips": "lip", "cheeks": "cheek"}
CAPITAL_SOUNDS = {"S": "sh", "T": "th", "Z": "zh", "D": "dh"}  # of X-SAMPA, which Polly uses
LEAST_SHARING = 3  # names that share a word before it counts as a habit
BY_SORTED_WORDS = {
    (tuple(sorted(word.text for word in words_of(text))), side): name
    for name in BY_STEM.values()
    for text, side in [(name.removesuffix("Left").removesuffix("Right"), stem_of(words_of(name)).side)]
}


@dataclass(frozen=True)
class Meaning:
    """A channel, how it was found, and the side that the name gives."""

    channel: str
    method: str
    side: str = ""

    @property
    def is_half(self) -> bool:
        """Whether the name has a side that the channel has not."""
        return bool(self.side) and stem_of(words_of(self.channel)).side != self.side


@dataclass(frozen=True)
class Habits:
    """Words that most names of a mesh begin and end with, from the outside to the inside."""

    first: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    numbered: bool = False

    @classmethod
    def of(cls, names: Sequence[str]) -> Habits:
        """What the names share. numbered: most end in a number."""
        texts = [[word.text for word in words_of(name)] for name in names]
        ends = sum(len(words) > 1 and words[-1].isdigit() for words in texts)
        numbered = ends >= max(LEAST_SHARING, len(texts) / 2)
        return cls(_shared(texts), _shared([words[::-1] for words in texts]), numbered)


def _shared(texts: list[list[str]]) -> tuple[str, ...]:
    found: list[str] = []
    least = max(LEAST_SHARING, len(texts) / 2)
    while True:
        texts = [words for words in texts if len(words) > len(found) + 1 and words[: len(found)] == found]
        counts = Counter(words[len(found)] for words in texts).most_common(1)
        if not counts or counts[0][1] < least or counts[0][0] in MEANING:
            return tuple(found)
        found.append(counts[0][0])


def meaning_of(name: str, habits: Habits) -> Meaning | None:
    """What a name says by itself, by exact spelling or by tables; None when it is not known."""
    if name in BY_STEM.values() or name in VISEMES:
        return Meaning(name, EXACT, stem_of(words_of(name)).side)
    words = words_of(name)
    unit = _action_unit(words)
    if unit is not None:
        return unit
    return next((found for core in _cores(words, habits) if (found := _looked_up(core))), None)


def _action_unit(words: list[Word]) -> Meaning | None:
    """Of a name with one number of the Facial Action Coding System."""
    texts = [word.text for word in words]
    at = next((at for at, (text, number) in enumerate(pairwise(texts)) if _is_unit(text, number)), None)
    if at is None:
        return None
    rest = texts[at + 2 :]
    stem = ACTION_UNITS.get(int(texts[at + 1]))
    if stem is None or any(text.isdigit() or text == "au" for text in rest):
        return None
    side = next((SIDES[text] for text in [*texts[:at], *rest] if text in SIDES), "")
    if stem in ("lookleft", "lookright"):
        return Meaning(f"look{stem[4:].capitalize()}", UNITS)
    channel = channel_of(Stem(stem, side))
    return Meaning(channel, UNITS, side) if channel else None


def _is_unit(text: str, number: str) -> bool:
    return text in ("au", "actionunit", "unit") and number.isdigit()


def _cores(words: list[Word], habits: Habits) -> Iterator[list[Word]]:
    """The words without more and more of what stands in front and behind, the longest first."""
    for trimmed in (words, _without_end(words, habits)):
        for start in range(len(trimmed)):
            if _says_nothing(trimmed[:start], habits):
                yield _without_region(trimmed[start:])


def _without_end(words: list[Word], habits: Habits) -> list[Word]:
    while len(words) > 1:
        end = len(words)
        while end > 1 and words[end - 1].text.isdigit():
            end -= 1
        if end < 2 or words[end - 1].text not in SUFFIXES:
            break
        words = words[: end - 1]
    for text in habits.last:
        if len(words) > 1 and words[-1].text == text:
            words = words[:-1]
    return words[:-1] if habits.numbered and len(words) > 1 and words[-1].text.isdigit() else words


def _says_nothing(words: list[Word], habits: Habits) -> bool:
    """Whether words in front of others are those of a tool, of a mesh, or of all names."""
    # In front of a number or of a dot stand the codes of tools and the names of meshes.
    code = max((index + 1 for index, word in enumerate(words) if word.ends_part or word.text.isdigit()), default=0)
    return all(word.text in PREFIXES or word.text in habits.first for word in words[code:])


def _without_region(words: list[Word]) -> list[Word]:
    """Without the lip in front of the part of the face that moves, as in LIP_JAW_OPEN."""
    return words[1:] if len(words) > 2 and words[0].text == "lip" and words[1].text in PARTED else words


def _looked_up(words: list[Word]) -> Meaning | None:
    return (
        _by_tables(stem_of(words))
        or _with_side_elsewhere(words)
        or _by_plain_words(words)
        or _in_another_order(words)
        or _by_movement(words)
    )


def _by_tables(stem: Stem) -> Meaning | None:
    found = channel_of(stem)
    if found:
        return Meaning(found, SPELLING, stem.side)
    for convention in conventions():
        known = STEMS.get(convention, {}).get(stem.text) if stem.side or stem.text not in SIDED_STEMS else None
        found = channel_of(Stem(known, stem.side)) if known else None
        found = found or WHOLE_NAMES.get(convention, {}).get(stem.text + stem.side)
        if found:
            return Meaning(found, convention, stem.side)
    return None


def conventions() -> list[str]:
    """All that tables know, the best known first."""
    alphabets = (alphabet.convention for alphabet in ALPHABETS)
    return list(dict.fromkeys((*STEMS, *WHOLE_NAMES, *alphabets, UNITS, NUMBERED, PLAIN, FOREIGN)))


def _with_side_elsewhere(words: list[Word]) -> Meaning | None:
    """A side in front or in the middle, or a quarter of the lips at the end."""
    if len(words) < 2:
        return None
    if words[-1].text in QUARTERS:
        side = next(letter for letter in words[-1].text if letter in "lr")
        return _by_tables(stem_of([*words[:-1], Word(side)]))
    sides = [FRONT_SIDES, *[SIDES] * (len(words) - 1)]
    at = [index for index, word in enumerate(words) if word.text in sides[index]]
    if len(at) != 1 or at[0] == len(words) - 1:
        return None
    side = FRONT_SIDES[words[at[0]].text]
    return _by_tables(stem_of([word for index, word in enumerate(words) if index != at[0]] + [Word(side)]))


def _by_plain_words(words: list[Word]) -> Meaning | None:
    singular = [Word(SINGULAR.get(word.text, word.text)) for word in words]
    return _by_tables(stem_of(singular)) if singular != [Word(word.text) for word in words] else None


def _in_another_order(words: list[Word]) -> Meaning | None:
    texts = [word.text for word in words]
    side = SIDES.get(texts[-1], "")
    key = tuple(sorted(texts[:-1] if side else texts)), side
    found = BY_SORTED_WORDS.get(key) if len(key[0]) > 1 else None
    return Meaning(found, SPELLING, side) if found else None


def _by_movement(words: list[Word]) -> Meaning | None:
    """In words of English or of another language, in any order."""
    for language in (IN_ENGLISH, *IN_OTHERS):
        stem = read(words, language)
        channel = channel_of(stem) if stem else None
        if channel:
            return Meaning(channel, PLAIN if language is IN_ENGLISH else FOREIGN, stem.side)
    return None


def spelt_mouths(names: Sequence[str], habits: Habits) -> dict[str, Meaning]:
    """What names mean that are a letter, a sound or a number of a chart of mouths, if enough of the chart is there."""
    told = _with_case_told(names)
    cores = {name: list(_mouth_words(words_of(told.get(name, name)), habits)) for name in names}
    found = _numbered(names)
    best: tuple[Alphabet, dict[str, str]] | None = None
    for alphabet in ALPHABETS:
        hits = {name: word for name, words in cores.items() if (word := _spelt(words, alphabet))}
        if _is_spoken(alphabet, set(hits.values())) and (best is None or len(hits) > len(best[1])):
            best = alphabet, hits
    if best is not None:
        alphabet, hits = best
        found |= {name: Meaning(alphabet.viseme_of(word), alphabet.convention) for name, word in hits.items()}
    return found


def _with_case_told(names: Sequence[str]) -> dict[str, str]:
    """Other spellings of names whose last letter is a sound of its own as a capital, as S is sh beside s."""
    ends = {name: re.split(r"[\W_]", name)[-1] for name in names}
    used = set(ends.values())
    sounds = {upper: sound for upper, sound in CAPITAL_SOUNDS.items() if {upper, upper.lower()} <= used}
    return {name: name[:-1] + sounds[end] for name, end in ends.items() if end in sounds}


def _mouth_words(words: list[Word], habits: Habits) -> Iterator[list[str]]:
    """The words that may name a mouth, with what stands in front and without."""
    trimmed = _without_end(words, habits)
    for start in range(len(trimmed)):
        if _says_nothing([word for word in trimmed[:start] if word.text not in MOUTH_WORDS], habits):
            yield [word.text for word in trimmed[start:]]


def _spelt(candidates: list[list[str]], alphabet: Alphabet) -> str | None:
    """The word that all of a name is, or the first if all are of the alphabet; numbers do not count."""
    for words in candidates:
        if alphabet.convention in WORDED and LIP_WORDS & set(candidates[0][: len(candidates[0]) - len(words)]):
            continue
        sounds = [word for word in words if not word.isdigit()]
        said = len(sounds) == 1 or not VISEME_WORDS & set(sounds[:1])  # v is a sound, or stands for viseme
        if sounds and said and not PREFIXES & set(sounds) and alphabet.viseme_of("".join(sounds)):
            return "".join(sounds)
        if sounds and said and all(word in alphabet.visemes for word in sounds):
            return sounds[0]
    return None


def _is_spoken(alphabet: Alphabet, words: set[str]) -> bool:
    some = not alphabet.any_of or bool(alphabet.any_of & words)
    return len(words) >= alphabet.needed and some and alphabet.all_of <= words


def _numbered(names: Sequence[str]) -> dict[str, Meaning]:
    """Microsoft's visemes by their numbers: only where there are more of them than Oculus has."""
    numbers = {}
    for name in names:
        texts = [word.text for word in words_of(name)]
        if texts and texts[-1].isdigit() and VISEME_WORDS & set(texts[:-1]):
            numbers[name] = int(texts[-1])
    if len(numbers) < LEAST_SHARING or not 15 <= max(numbers.values()) < len(MICROSOFT):
        return {}
    return {name: Meaning(f"viseme_{MICROSOFT[number]}", NUMBERED) for name, number in numbers.items()}
