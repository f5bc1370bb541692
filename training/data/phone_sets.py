"""Every label of every source, mapped on purpose to the phone inventory.

A value is one phone of the inventory or several in a row, which share the label's time evenly; vowels may carry a
stress digit. A label that a table does not know is an error, so that a new voice cannot bring in wrong lips unseen.
Where no phone of the inventory is near, the lips decide: front rounded vowels become rounded ones, taps and trills
(no lip rounding) become D and not the rounded English R, uvular and velar fricatives become HH.
"""

from __future__ import annotations

import re
import unicodedata

from engine.shared.errors import EngineError
from training.phones import PHONES, SILENCE

# The "radio" set of festival's US English voices and of flite; CMU's dictionary in lower case and a few allophones.
US_ENGLISH = {symbol.lower(): symbol for symbol in PHONES if symbol != SILENCE} | {
    "pau": SILENCE, "h#": SILENCE, "brth": SILENCE, "ssil": SILENCE,
    "ax": "AH0", "axr": "ER0", "ix": "IH0", "ux": "UW", "dx": "D", "nx": "N", "hv": "HH",
    "el": "AH0 L", "em": "AH0 M", "en": "AH0 N",
}  # fmt: skip

# msu_ru (festvox-ru): doubled consonants are palatalised, doubled vowels stressed, ae, ay and ur doubly reduced.
RUSSIAN = {
    "pau": SILENCE,
    "aa": "AA1", "ee": "EH1", "ii": "IY1", "oo": "AO1", "uu": "UW1", "yy": "IH1",
    "a": "AH0", "e": "EH0", "i": "IH0", "y": "IH0", "u": "UW0", "ae": "IH0", "ay": "AH0", "ur": "UH0",
    "p": "P", "pp": "P", "b": "B", "bb": "B", "m": "M", "mm": "M", "f": "F", "ff": "F", "v": "V", "vv": "V",
    "t": "T", "tt": "T", "d": "D", "dd": "D", "n": "N", "nn": "N", "l": "L", "ll": "L", "r": "D", "rr": "D",
    "s": "S", "ss": "S", "z": "Z", "zz": "Z", "c": "T S", "ch": "CH", "sh": "SH", "sch": "SH", "zh": "ZH",
    "k": "K", "kk": "K", "g": "G", "gg": "G", "h": "HH", "hh": "HH", "j": "Y",
}  # fmt: skip

# Symbols of the International Phonetic Alphabet as espeak-ng writes them; longer ones win.
IPA = {
    "a": "AA", "ɑ": "AA", "ɒ": "AO", "ɐ": "AH", "æ": "AE", "ʌ": "AH", "ə": "AH", "ɚ": "ER", "ɜ": "ER", "ɝ": "ER",
    "ɛ": "EH", "e": "EH", "ɪ": "IH", "ᵻ": "IH", "ɨ": "IH", "i": "IY", "ɔ": "AO", "o": "OW", "ʊ": "UH", "u": "UW",
    "ʉ": "UW", "y": "UW", "ʏ": "UH", "ø": "UH", "œ": "ER", "ɤ": "AH", "ɯ": "IH", "ɵ": "UH", "ɘ": "AH",
    "aɪ": "AY", "ai": "AY", "aʊ": "AW", "au": "AW", "eɪ": "EY", "ei": "EY", "oʊ": "OW", "ou": "OW", "əʊ": "OW",
    "ʌʉ": "AW", "ɑu": "AW", "ɛɪ": "EY", "ɔɪ": "OY", "oɪ": "OY", "ɔø": "OY", "ɔi": "OY", "oi": "OY",
    "p": "P", "b": "B", "m": "M", "f": "F", "v": "V", "ʋ": "V", "β": "V", "ɸ": "F", "θ": "TH", "ð": "DH",
    "t": "T", "d": "D", "n": "N", "l": "L", "ɫ": "L", "ʈ": "T", "ɖ": "D", "ɳ": "N", "ɭ": "L", "ɲ": "N", "ʎ": "L",
    "ɾ": "D", "r": "D", "ɽ": "D", "r.": "D", "ɹ": "R", "ɻ": "R",
    "s": "S", "z": "Z", "ʃ": "SH", "ʒ": "ZH", "ʂ": "SH", "ʐ": "ZH",
    "ɕ": "SH", "ʑ": "ZH", "tʃ": "CH", "dʒ": "JH", "tɕ": "CH", "dʑ": "JH", "ʈʂ": "CH", "ɖʐ": "JH", "ts": "T S",
    "dz": "D Z", "pf": "P F", "j": "Y", "ʝ": "Y", "ɥ": "W", "w": "W", "ʍ": "W", "ɰ": "G",
    "k": "K", "c": "K", "ɡ": "G", "g": "G", "ɟ": "G", "ŋ": "NG", "ɣ": "G", "x": "HH", "χ": "HH", "ç": "HH", "ʁ": "HH",
    "ʀ": "HH", "h": "HH", "ɦ": "HH", "ʔ": "HH", "??": "HH",
    # Mandarin: a dot makes a sibilant retroflex, an h after a stop is its aspiration.
    "ts.": "CH", "ts.h": "CH", "s.": "SH", "z.": "ZH", "i.": "IH", "tsh": "T S", "tɕh": "CH", "ph": "P", "th": "T",
    "kh": "K", "nɡ": "NG", "ər": "ER",
}  # fmt: skip
# Length, stress, aspiration, palatalisation, ties, tones, dental and syllabic marks leave the lips as they are.
_IPA_MARKS = re.compile(r"[ːˑ:ˈˌʰʱʲˠˤʼ\u0329\u032a\u032f\u0361‿˞\-0-9^~\"]")
# "(en)" and the like announce another language's phones.
_LANGUAGE = re.compile(r"^\(.*")
_LONGEST = max(map(len, IPA))


def from_table(label: str, table: dict[str, str], source: str) -> list[str]:
    """Phones of the inventory for a label. Raises EngineError for a label that the table lacks."""
    if label not in table:
        raise EngineError(f"{source} has the label {label!r}, which the phone inventory lacks; add it to the table.")
    return table[label].split()


def from_ipa(name: str, source: str) -> list[str]:
    """Phones for a name of espeak-ng; '' is a pause, a name of marks alone gives none. Raises EngineError as above."""
    if not name:
        return [SILENCE]
    if name == "ʲ":
        return ["Y"]
    if _LANGUAGE.match(name):
        return []
    # Nasal vowels lose their tilde; French ones differ from oral vowels by little that the lips show.
    letters = "".join(mark for mark in unicodedata.normalize("NFD", name) if mark != "\u0303")
    letters = _IPA_MARKS.sub("", unicodedata.normalize("NFC", letters))
    phones: list[str] = []
    while letters:
        for length in range(min(_LONGEST, len(letters)), 0, -1):
            if letters[:length] in IPA:
                phones += IPA[letters[:length]].split()
                letters = letters[length:]
                break
        else:
            raise EngineError(f"{source} has the label {name!r}, which the phone inventory lacks; add it to the table.")
    return phones


def rows(labels: list[tuple[list[str], float, float]]) -> list:
    """Phone rows [phone, start, end] from (phones, start, end): several phones share the time, none extend the last."""
    result: list = []
    for phones, start, end in labels:
        if end <= start:
            continue
        if not phones and result:
            result[-1][2] = round(end, 5)
        step = (end - start) / max(len(phones), 1)
        for index, phone in enumerate(phones):
            result.append([phone, round(start + index * step, 5), round(start + (index + 1) * step, 5)])
    return result
