"""The sentence that comes with the extension, to try it without a recording of one's own.

It is demo/voice.wav: "Hello! Maybe you have heard my voice before. Now you can see me speak."
"""

from __future__ import annotations

from pathlib import Path

SENTENCE = Path(__file__).resolve().with_name("try_it.ogg")
SENTENCE_SECONDS = 4.515
