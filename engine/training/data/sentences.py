"""Texts for the text-to-speech voices."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ...errors import EngineError


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
