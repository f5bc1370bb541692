"""Voices made to sound like an emotion are heard as it, and effort is heard in any of them."""

import io

import numpy as np
import pytest
import soundfile

from engine.motion.voice_emotion import PROFILES, feeling, measures, whole_and_phrases
from engine.process import EngineProcess
from engine.shared.controls import CONTROL_NAMES, LIMITS
from engine.shared.errors import EngineError
from engine.shared.protocol import Message, read_message

RATE = 16000


def voice(pitch=118.0, semitones=8.7, tilt=0.0, syllables=3.4, seconds=6.0, pause=0.0, hiss=0.0):
    """Syllables of a pulse train. semitones: that its pitch goes up and down; tilt: dB an octave more than -9."""
    times = np.arange(int(RATE * seconds)) / RATE
    course = pitch * 2 ** (semitones / 24 * np.sin(2 * np.pi * 0.45 * times))
    phase = np.cumsum(course) / RATE
    tone = sum(k ** ((tilt - 9) / 6.02) * np.sin(2 * np.pi * k * phase) for k in range(1, 31))
    loudness = 0.12 + 0.88 * np.sin(np.pi * syllables * times) ** 2
    loudness = loudness * (np.mod(times, 1.5) > 1.5 * pause)
    noise = hiss * np.random.default_rng(0).standard_normal(len(times))
    return (0.05 * loudness * (tone / tone.std() + noise)).astype(np.float32)


def test_measures_are_those_that_the_voice_was_made_with():
    found = measures(voice(pitch=236.0 / 2, semitones=12, syllables=4.0, pause=0.3))
    assert found["pitch"] == pytest.approx(0.0, abs=0.1)
    assert found["range"] == pytest.approx(12, abs=1.5)
    assert found["rate"] == pytest.approx(4.0, abs=0.5)
    assert found["pauses"] == pytest.approx(0.3, abs=0.1)
    assert measures(voice(tilt=3))["tilt"] > measures(voice())["tilt"] + 3
    assert measures(voice(hiss=1.0))["roughness"] > measures(voice())["roughness"] + 0.02


def test_a_raised_bright_voice_is_anger_and_a_low_flat_dull_one_sadness():
    raised = feeling(voice(pitch=150.0, semitones=12, tilt=6.0, syllables=3.8))
    hanging = feeling(voice(pitch=90.0, semitones=3, tilt=-15.0, syllables=2.4, pause=0.3, hiss=0.1))
    assert raised.emotion == "anger"
    assert raised.controls["anger"] >= 0.3
    assert hanging.emotion == "sadness"
    assert raised.controls["energy"] > 0.3 > -0.2 > hanging.controls["energy"]
    for found in (raised, hanging):
        assert all(LIMITS[name][0] <= value <= LIMITS[name][1] for name, value in found.controls.items())


def test_gain_changes_nothing_and_every_profile_is_a_control():
    loud, quiet = feeling(voice()), feeling(0.1 * voice())
    assert loud.emotion == quiet.emotion
    assert loud.controls["energy"] == pytest.approx(quiet.controls["energy"], abs=0.03)
    assert set(PROFILES) - {"neutral"} <= set(CONTROL_NAMES)


def test_every_phrase_is_heard_by_itself():
    raised = voice(pitch=150.0, semitones=12, tilt=6.0, syllables=3.8, seconds=4.0)
    hanging = voice(pitch=90.0, semitones=3, tilt=-15.0, syllables=2.4, hiss=0.1, seconds=4.0)
    pause = np.zeros(RATE, np.float32)
    _, found = whole_and_phrases(np.concatenate([pause, raised, pause, hanging]))
    assert [round(one.start) for one in found] == [1, 6]
    np.testing.assert_allclose([one.end for one in found], [5, 10], atol=0.15)
    first, second = (one.feeling for one in found)
    assert first.emotion == "anger" and second.emotion not in ("anger", "joy", "fear")
    assert first.controls["energy"] > second.controls["energy"] + 0.3
    # A pause of a breath does not part a short phrase, and a long one is divided.
    assert len(whole_and_phrases(np.concatenate([raised[: RATE // 2], pause[: RATE // 2], raised]))[1]) == 1
    assert len(whole_and_phrases(np.tile(raised, 5))[1]) == 3


def test_where_nobody_speaks_it_says_so():
    with pytest.raises(EngineError, match="No voice is heard"):
        feeling(np.zeros(RATE, np.float32))


def test_the_process_answers(tmp_path):
    path, output = tmp_path / "voice.wav", io.BytesIO()
    soundfile.write(path, voice(), RATE)
    EngineProcess(output).run(Message("feeling", 1, {"audio": str(path), "start": 1.0, "duration": 3.0}, {}))
    output.seek(0)
    answer, final = iter(lambda: read_message(output), None)
    assert final.kind == "done"
    assert answer.fields["emotion"] in PROFILES
    (phrase,) = answer.fields["phrases"]
    assert phrase["emotion"] in PROFILES and 0 <= phrase["start"] < phrase["end"] <= 3.1
    assert set(answer.fields) >= {"controls", "deviations"}
