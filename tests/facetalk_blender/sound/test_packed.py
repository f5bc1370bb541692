"""Packed sounds: Blender copies the whole of one at every look, so that a generation looks once."""

import numpy as np
import pytest
from blender_scene import bpy, write_wav
from repository import import_from_extension

sound_strip = import_from_extension("facetalk_blender.sound.strip")
strip_take = import_from_extension("facetalk_blender.generation.strip_take")
digest = import_from_extension("facetalk_blender.sound.digest")
packed = import_from_extension("facetalk_blender.sound.packed")


@pytest.fixture
def strip(scene, tmp_path):
    packed.CONTENTS.clear()
    digest.DIGESTS.clear()
    write_wav(tmp_path / "voice.wav", 2.0)
    strip = sound_strip.load_sound(scene, tmp_path / "voice.wav", 1)
    strip.sound.pack()
    (tmp_path / "voice.wav").unlink()
    yield strip
    digest.DIGESTS.clear()


@pytest.fixture
def copies(monkeypatch):
    """Sizes of the contents that were copied."""
    sizes = []

    def counted(data, kind):
        sizes.append(len(data))
        return np.frombuffer(data, kind)

    monkeypatch.setattr(packed, "np", type("Counting", (), {"frombuffer": staticmethod(counted), "uint8": np.uint8}))
    return sizes


def test_a_generation_copies_a_packed_sound_once(strip, copies):
    spoken = strip_take.StripTake(strip)
    assert copies == [strip.sound.packed_file.size]
    fields, arrays = spoken.sound.question()
    assert arrays["file"].tobytes() == strip.sound.packed_file.data
    assert fields["whole_seconds"] == pytest.approx(2.0)
    assert digest.DIGESTS.of(strip, wait=True)
    assert sound_strip.clip_of(strip).duration == pytest.approx(2.0)
    assert len(copies) == 1


def test_a_content_that_nobody_needs_is_gone(strip, copies):
    content = packed.content_of(strip.sound)
    assert packed.content_of(strip.sound) is content
    del content
    assert packed.content_of(strip.sound) is not None
    assert len(copies) == 2


def test_what_is_packed_later_is_another_content(strip, tmp_path):
    before = digest.DIGESTS.of(strip, wait=True)
    write_wav(tmp_path / "voice.wav", 3.0)
    strip.sound.unpack(method="USE_ORIGINAL")
    assert packed.content_of(strip.sound) is None
    strip.sound.pack()
    head = packed.CONTENTS.head(strip.sound)
    assert head == (tmp_path / "voice.wav").read_bytes()[: len(head)]
    assert len(packed.content_of(strip.sound)) == (tmp_path / "voice.wav").stat().st_size
    assert digest.DIGESTS.of(strip, wait=True) != before
    assert bpy.data.sounds[0] == strip.sound
