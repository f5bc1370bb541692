"""Performances of the prior as people see them: blinks, gaze, head, brows, emotions; closures whatever the mood."""

import numpy as np
import pytest

from engine.shared.controls import CONTROL_NAMES, EMOTIONS, TRAITS
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.units import CODE_RATE
from engine.shared.weights import WEIGHT_NAMES
from evaluation.motion import liveliness
from training.phones import BILABIALS, SILENCE, Segment
from training.prior.emotion import ACTIONS, Mood, action_table, with_emotion
from training.prior.head_motion import PITCH, YAW, Beat, Voice, phrases
from training.prior.performance import emphasised, perform

SECONDS = 24.0
FRAMES = round(SECONDS * CODE_RATE)
BEATS = [Beat(time, 1.0) for time in np.arange(0.9, SECONDS - 0.5, 1.3)]


def sentences():
    """Three syllables a second in phrases of two to three seconds."""
    generator = np.random.default_rng(4)
    segments, time = [], 0.0
    while time < SECONDS - 3:
        segments.append(Segment(SILENCE, time, time + 0.5))
        time += 0.5
        for _ in range(int(generator.integers(6, 10))):
            for phone, length in (
                (generator.choice(["M", "B", "T", "S", "P", "K"]), 0.09),
                (generator.choice(["AA", "IY", "OW"]), 0.2),
            ):
                segments.append(Segment(str(phone), time, time + length))
                time += length
    return [*segments, Segment(SILENCE, time, SECONDS)]


def column(weights, name):
    return weights[..., WEIGHT_NAMES.index(name)]


def peaks(values, threshold):
    inner = values[1:-1]
    return np.flatnonzero((inner > threshold) & (inner >= values[:-2]) & (inner > values[2:])) + 1


@pytest.fixture(scope="module")
def performances():
    segments = sentences()
    return [perform(segments, FRAMES, seed, Voice(BEATS), expressive=False) for seed in range(24)]


def test_blinks_close_and_come_as_often_as_in_conversation(performances):
    heights = []
    for performance in performances:
        lid = column(performance.weights, "eyeBlinkLeft")
        heights += list(lid[peaks(lid, 0.5)])
    assert 10 < len(heights) / (len(performances) * SECONDS / 60) < 25
    assert np.mean(np.array(heights) >= 0.95) > 0.93


def test_gaze_shifts_one_to_three_times_a_second_and_the_eyes_counter_the_head(performances):
    shifts, counters = [], []
    for performance in performances:
        left = column(performance.weights, "eyeLookOutLeft") - column(performance.weights, "eyeLookInLeft")
        up = column(performance.weights, "eyeLookUpLeft") - column(performance.weights, "eyeLookDownLeft")
        speed = 30 * np.hypot(np.diff(left), np.diff(up))
        shifts.append(len(peaks(speed, 1.2)) / SECONDS)
        fixed = speed < 1.2  # degrees a frame
        counters.append(np.corrcoef(np.diff(left)[fixed], np.diff(performance.pose[:, YAW])[fixed])[0, 1])
    assert 1 < np.mean(shifts) < 3
    assert np.mean(counters) < -0.3


def test_the_head_moves_like_that_of_a_speaker_and_nods_on_accents(performances):
    poses = np.stack([performance.pose for performance in performances])
    deviations = poses.std(axis=1).mean(axis=0)
    assert 2 < deviations[PITCH] < 6
    assert 2 < deviations[YAW] < 6
    assert np.abs(poses[..., :3]).max() < 35
    at_beats, elsewhere = [], []
    for pose in poses:
        down = np.gradient(pose[:, PITCH])
        for beat in BEATS:
            frame = round(beat.time * CODE_RATE)
            at_beats.append(down[frame - 3 : frame].mean() - down[frame + 1 : frame + 4].mean())
            elsewhere.append(down[frame + 12 : frame + 15].mean() - down[frame + 16 : frame + 19].mean())
    assert np.mean(at_beats) > 0.3  # it goes down towards an accent and up after it
    assert abs(np.mean(elsewhere)) < 0.15


def test_most_nods_meet_an_accent_and_most_accents_a_nod(performances):
    accents, near, covered, found = np.array([beat.time for beat in BEATS]), 0, 0, 0
    for performance in performances:
        moments = liveliness.nods(performance.pose)
        distances = np.abs(moments[:, None] - accents)
        near += int((distances.min(axis=1) <= liveliness.NEAR_ACCENT).sum())
        covered += int((distances.min(axis=0) <= liveliness.NEAR_ACCENT).sum())
        found += len(moments)
    assert near / found > 0.75
    assert covered / (len(performances) * len(accents)) > 0.6


def test_a_nod_is_as_deep_as_its_syllable_stands_out():
    segments = [Segment("AA", 0.0, 6.0)]
    heard = np.zeros(144)
    heard[70:75] = (0.3, 0.8, 1.1, 0.8, 0.3)
    quiet, loud = (
        perform(segments, 144, 5, Voice([], prominence), expressive=False).pose[:, PITCH]
        for prominence in (0 * heard, heard)
    )
    assert np.abs(loud - quiet).argmax() == 72
    assert 2 < (loud - quiet)[72] < 6
    assert np.abs(loud - quiet)[:60].max() < 1e-4


def test_other_seeds_speak_otherwise_with_the_same_closures(performances):
    mouth = [
        i
        for i, n in enumerate(WEIGHT_NAMES)
        if n.startswith(("jaw", "mouth")) and performances[0].weights[:, i].std() > 0.02
    ]
    pairs = zip(performances[::2], performances[1::2], strict=True)
    alike = [np.corrcoef(a.weights[:, i], b.weights[:, i])[0, 1] for a, b in pairs for i in mouth]
    assert 0.7 < np.mean(alike) < 0.97
    assert all(closed_share(performance.weights) == 1 for performance in performances)


def closed_share(weights):
    opening, found = lip_opening_mm(weights), []
    for segment in sentences():
        if segment.phone in BILABIALS:
            near = slice(int(segment.start * CODE_RATE), int(np.ceil(segment.end * CODE_RATE)) + 1)
            found.append(opening[near].min() < 0.4)
    return np.mean(found)


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_an_emotion_shows_its_actions_and_keeps_every_closure(performances, emotion):
    asked = np.zeros((FRAMES, len(EMOTIONS)), np.float32)
    asked[:, EMOTIONS.index(emotion)] = 1
    spoken = performances[0].weights
    felt = with_emotion(spoken, Mood(asked, asked), np.random.default_rng(1))
    assert felt.min() >= 0
    assert felt.max() <= 1
    assert closed_share(felt) == 1
    change = (felt - spoken).mean(axis=0)
    strongest = [WEIGHT_NAMES[i].removesuffix("Left").removesuffix("Right") for i in np.argsort(-change)[:4]]
    wanted = {name.removesuffix("Left").removesuffix("Right") for name in ACTIONS[emotion]} | {"mouthClose"}
    assert set(strongest) <= wanted


def test_emotions_look_apart_and_contempt_has_a_side():
    table = action_table()
    norms = np.linalg.norm(table, axis=1)
    likeness = table @ table.T / np.outer(norms, norms)
    assert np.triu(likeness, 1).max() < 0.75
    left, right = (column(action_table(side)[EMOTIONS.index("contempt")], "mouthSmileLeft") for side in (1.0, -1.0))
    assert left > 0.3
    assert right == 0


def test_an_emotion_comes_and_goes_slower_than_it_is_asked_for():
    moods = [Mood.draw(288, np.random.default_rng(seed)) for seed in range(60)]
    shown = [mood for mood in moods if mood.asked.any()]
    assert 20 < len(shown) < 55
    assert all(mood.asked.min() >= 0 and mood.asked.max() <= 1 for mood in moods)
    assert max(np.abs(np.diff(mood.felt, axis=0)).max() for mood in shown) < 0.35


def test_in_silence_the_face_lives_and_the_lips_stay_closed():
    quiet = perform([Segment(SILENCE, 0.0, 12.0)], 288, 3, Voice([]), expressive=False)
    assert lip_opening_mm(quiet.weights).max() <= 0.3
    assert quiet.pose.std(axis=0)[:3].min() > 0.2
    assert column(quiet.weights, "eyeBlinkLeft").max() > 0.9
    # Breath and drift, no trembling.
    assert np.abs(np.diff(quiet.pose[:, :3], n=2, axis=0)).mean() < 0.1


def test_controls_say_what_was_performed_and_the_seed_decides():
    segments = sentences()
    first, again = (perform(segments, FRAMES, 11, Voice(BEATS)) for _ in range(2))
    np.testing.assert_array_equal(first.pose, again.pose)
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.controls.shape == (FRAMES, len(CONTROL_NAMES))
    assert first.controls[:, [CONTROL_NAMES.index(name) for name in TRAITS]].std(axis=0).max() < 1e-5
    captured = perform(segments, FRAMES, 11, Voice(BEATS), capture=np.zeros((FRAMES, 57), np.float32), expressive=False)
    assert (captured.controls[:, CONTROL_NAMES.index("captured")] == 1).all()
    assert not column(captured.weights, "jawOpen").any()


def test_phrases_end_at_pauses_and_accents_follow_emphasis():
    segments = [
        Segment("AA", 0.2, 0.5, 1.2), Segment(SILENCE, 0.5, 0.55), Segment("IY", 0.55, 0.9), Segment(SILENCE, 0.9, 1.5),
        Segment("OW", 1.5, 1.9, 1.1),
    ]  # fmt: skip
    assert phrases(segments) == [(0.2, 0.9), (1.5, 1.9)]
    assert [beat.time for beat in emphasised(segments)] == pytest.approx([0.35, 1.7])
