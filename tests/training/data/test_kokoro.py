"""Kokoro's tokens become phones with times; held-out voices never reach a training."""

import json

import numpy as np
import pytest
import soundfile

from training.data import kokoro
from training.data.corpus import Clip, Corpus


def test_letters_and_marks_become_phones():
    # "sane" with a stress mark, a long vowel and the ends: 0.1 s of silence, then 50, 75 and 50 ms.
    found = kokoro.phone_rows(["^", "ˈ", "s", "A", "ː", "n", "$"], [4, 1, 1, 2, 1, 2, 4])
    expected = [["sil", 0.0, 0.1], ["S", 0.1, 0.15], ["EY", 0.15, 0.225], ["N", 0.225, 0.275], ["sil", 0.275, 0.375]]
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert np.array([row[1:] for row in found]) == pytest.approx(np.array([row[1:] for row in expected]))


@pytest.mark.parametrize(("frames", "phones"), [(2, ["P", "B"]), (4, ["P", "sil", "B"])])
def test_only_a_long_gap_is_a_pause(frames, phones):
    found = kokoro.phone_rows(["p", " ", "b"], [2, frames, 2])
    assert [row[0] for row in found] == phones
    assert found[-1][2] == pytest.approx((4 + frames) * kokoro.FRAME)


def test_sentences_are_read_and_moved_to_their_sound(tmp_path):
    folder = tmp_path / "kokoro" / "audio"
    folder.mkdir(parents=True)
    soundfile.write(folder / "en-us_af_x_0001.opus", np.zeros(16000, np.float32), 16000, format="OGG", subtype="OPUS")
    entry = {"text": "m", "language": "en-us", "voice": "af_x", "tokens": ["^", "m", "$"], "frames": [12, 8, 20]}
    (tmp_path / "kokoro" / "labels.json").write_text(json.dumps({"en-us_af_x_0001": entry}))
    (sentence,) = kokoro.spoken(tmp_path)
    assert sentence.phones[1] == ["M", pytest.approx(0.24), pytest.approx(0.44)]
    assert len(sentence.samples) == 16000


def test_without_the_folder_there_are_no_sentences(tmp_path):
    assert list(kokoro.spoken(tmp_path)) == []


def test_held_out_voices_are_not_trained_on():
    keys = ["en-us_af_nicole_0001", "en-us_af_heart_0002", "fr_ff_siwis_0015", "fr_ff_siwis_0016"]
    clips = [Clip(f"kokoro/{key}", "kokoro", "kokoro", 0, 0, []) for key in keys]
    corpus = Corpus(clips, np.zeros(0, np.int16))
    assert [clip.key[7:] for clip in corpus.select("kokoro", held_out=False)] == [keys[1], keys[3]]
    assert [clip.key[7:] for clip in corpus.select("kokoro", held_out=True)] == [keys[0], keys[2]]
