"""Melodies without a voice: any program, the same for the same seed, with whole notes."""

import numpy as np
import pytest

from engine.shared.errors import EngineError
from training.data import instruments


@pytest.mark.parametrize("program", [0, 33, 56, 126])
def test_a_melody_ends_every_note_it_begins(program):
    piece = instruments.melody(program, 6.0, np.random.default_rng(program))
    sounding, notes = {}, 0
    for message in piece.tracks[0]:
        if message.type == "note_on":
            sounding[message.note] = sounding.get(message.note, 0) + 1
            notes += 1
        elif message.type == "note_off":
            sounding[message.note] -= 1
    assert notes > 3
    assert set(sounding.values()) == {0}
    assert piece.tracks[0][0].program == program


def test_the_same_seed_gives_the_same_melody():
    first, second = (instruments.melody(56, 3.0, np.random.default_rng(7)) for _ in range(2))
    assert list(first.tracks[0]) == list(second.tracks[0])


@pytest.mark.parametrize(("soundfont", "package"), instruments.PACKAGES.items())
def test_a_missing_soundfont_names_its_package(soundfont, package, tmp_path, monkeypatch):
    monkeypatch.setattr(instruments, "SOUNDFONTS", tmp_path)
    with pytest.raises(EngineError, match=package):
        next(instruments.played(soundfont))
