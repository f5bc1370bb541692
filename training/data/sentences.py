"""Texts for the text-to-speech voices."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from engine.shared.errors import EngineError


class Sentences:
    """English sentences in a random but seeded order, each given out once.

    avoid: texts that must not be spoken, because their recordings serve the evaluation.
    """

    def __init__(self, data: Path, avoid: list[str], seed: int) -> None:
        path = data / "speech" / "sentences_en.txt"
        if not path.is_file():
            raise EngineError(f"{path} is missing; name the folder that holds the speech data with --data.")
        forbidden = {words(text) for text in avoid}
        usable = [text for text in path.read_text("utf-8").splitlines() if 20 <= len(text) <= 140]
        usable = [text for text in usable if words(text) not in forbidden]
        order = np.random.default_rng((seed, 11)).permutation(len(usable))
        self._texts = [usable[index] for index in order]

    def take(self, count: int) -> list[str]:
        """The next `count` sentences. Raises EngineError when there are fewer."""
        if count > len(self._texts):
            raise EngineError(f"Only {len(self._texts)} English sentences are left for the voices; synthesise fewer.")
        taken, self._texts = self._texts[:count], self._texts[count:]
        return taken


def words(text: str | None) -> str:
    """A text in lower case without punctuation, for comparison."""
    return re.sub(r"[^a-z]+", " ", (text or "").lower()).strip()


# Packaged collections of sayings in plain text, and lists of our own where Debian has none.
_FORTUNES = Path("/usr/share/games/fortunes")
_COLLECTIONS = {
    "de": ("fortunes-de", ("de/zitate", "de/sprichworte")),
    "es": ("fortunes-es", ("es/refranes.fortunes", "es/proverbios.fortunes", "es/sabiduria.fortunes")),
    "it": ("fortunes-it", ("it/leggi",)),
    "ru": ("fortunes-ru", ("ru/citates", "ru/life", "ru/2001.05")),
    "cmn-latn-pinyin": ("fortunes-zh", ("tang300",)),
}
_OWN = {"fr": "sentences_fr.txt", "hi": "sentences_hi.txt"}
FOREIGN = (*_COLLECTIONS, *_OWN)


def foreign_sentences(language: str, count: int, seed: int, folder: Path = _FORTUNES) -> list[str]:
    """`count` sentences in one of FOREIGN, an espeak-ng voice; a short list is spoken again from its start.

    Raises EngineError when the Debian package with the texts is not installed.
    """
    if language in _OWN:
        texts = (Path(__file__).parent / _OWN[language]).read_text("utf-8").splitlines()
    else:
        package, names = _COLLECTIONS[language]
        paths = [folder / name for name in names]
        if not all(path.is_file() for path in paths):
            raise EngineError(f"The sentences for {language} are missing; install Debian's package {package}.")
        texts = [sentence for path in paths for sentence in split_fortunes(path.read_text("utf-8"))]
    order = np.random.default_rng((seed, *language.encode())).permutation(len(texts))
    return [texts[order[index % len(order)]] for index in range(count)]


def split_fortunes(text: str) -> list[str]:
    """Sentences of a fortune file: entries between lines of %, without colours, sources and anything with Latin digits
    or symbols in it that a voice would spell out."""
    text = re.sub(r"\x1b\[\d*m", "", text)
    sentences = []
    for entry in re.split(r"^%$", text, flags=re.MULTILINE):
        lines = [line.strip() for line in entry.splitlines()]
        kept = " ".join(line for line in lines if not re.match(r"--|《|作者", line))
        for sentence in re.findall(r"[^.!?。！？]+[.!?。！？]", kept):
            spoken = sentence.strip(' "«»')
            long_enough = 5 if re.search(r"[\u4e00-\u9fff]", spoken) else 20
            if long_enough <= len(spoken) <= 140 and not re.search(r"[0-9<>@#/\\_*=(){}\[\]|]", spoken):
                sentences.append(spoken)
    return sentences
