"""One camera: weights of tracked points whose truth is known, lost frames, head pose, videos that cannot be used."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from engine.face_capture.correspondence import FACE_POINTS, LIP_PAIRS, STABLE, TEMPLATE_STABLE
from engine.face_capture.evidence import Evidence, PointModel
from engine.face_capture.fitting import (
    at_code_times,
    fit_weights,
    resting,
    similarity,
    stabilised,
    touching_lips,
    with_closures,
)
from engine.face_capture.head_pose import ORIGIN, TO_BLENDER, head_pose
from engine.face_capture.landmarker import track_face
from engine.face_capture.video import pictures, sound
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.pose import POSE_NAMES, rotations
from engine.shared.weights import WEIGHT_NAMES

NUMBERS = [point.number for point in FACE_POINTS]
PIXELS = 300.0  # of one model unit


def model() -> PointModel:
    """Every weight but those of the gaze moves the points at random, none of them a stable one."""
    random = np.random.default_rng(0)
    displacements = 0.03 * random.normal(size=(len(NUMBERS), len(WEIGHT_NAMES), 3))
    displacements[[number in STABLE for number in NUMBERS]] = 0.0
    for upper, lower in LIP_PAIRS:
        displacements[NUMBERS.index(upper)] = 0.0
        displacements[NUMBERS.index(lower)] *= (1, 0, 1)
        displacements[NUMBERS.index(lower), WEIGHT_NAMES.index("jawOpen"), 1] = -0.13
    displacements[:, [name.startswith("eyeLook") for name in WEIGHT_NAMES]] = 0.0
    return PointModel(FACE_POINTS, displacements)


def motion(frames: int = 60) -> np.ndarray:
    """Weights (F, 57): a jaw that opens after a rest, and a blink."""
    weights = np.zeros((frames, len(WEIGHT_NAMES)))
    weights[15:, WEIGHT_NAMES.index("jawOpen")] = 0.4 * np.sin(np.arange(frames - 15) / 6) ** 2
    weights[30:36, WEIGHT_NAMES.index("eyeBlinkLeft")] = [0.3, 0.9, 1.0, 1.0, 0.6, 0.2]
    return weights


def tracked(weights: np.ndarray, points: PointModel, turning: float = 8.0) -> np.ndarray:
    """Points (F, n, 3) in pixels of a head that turns and moves away while it speaks."""
    rest = np.array([point.place for point in points.points])
    for upper, lower in LIP_PAIRS:  # in canonical space the jaw is open
        rest[NUMBERS.index(lower)] = rest[NUMBERS.index(upper)]
    face = rest + np.einsum("fw,nwc->fnc", weights, points.displacements)
    angles = np.radians(turning * np.sin(np.arange(len(weights)) / 9))
    turned = np.einsum("fij,fnj->fni", Rotation.from_rotvec(angles[:, None] * [0.2, 1.0, 0.1]).as_matrix(), face)
    scale = PIXELS * (1 + 0.1 * np.sin(np.arange(len(weights)) / 20))
    return scale[:, None, None] * turned * (1, -1, -1) + (320, 240, 0)


def scores_of(weights: np.ndarray, share: float = 1.0) -> np.ndarray:
    """What a tracker says of weights."""
    return share * weights[:, : len(ARKIT_NAMES)]


def test_weights_are_those_that_moved_the_points():
    points, weights = model(), motion()
    found = fit_weights(tracked(weights, points), scores_of(weights), NUMBERS, points)
    assert np.abs(found.weights - weights).max() < 0.08
    assert np.abs(found.weights - weights).mean() < 0.01
    assert np.median(found.residual) < 0.002


def test_points_win_where_a_score_understates():
    points, weights = model(), motion()
    found = fit_weights(tracked(weights, points), scores_of(weights, 0.4), NUMBERS, points)
    jaw = WEIGHT_NAMES.index("jawOpen")
    assert np.abs(found.weights[:, jaw] - weights[:, jaw]).max() < 0.06 < 0.6 * weights[:, jaw].max()


def test_gaze_is_the_trackers_as_it_leaves_the_face_at_rest():
    points, weights = model(), motion()
    scores = scores_of(weights)
    scores[:, ARKIT_NAMES.index("eyeLookUpLeft")] = 0.2
    scores[40:, ARKIT_NAMES.index("eyeLookUpLeft")] = 0.6
    found = fit_weights(tracked(weights, points), scores, NUMBERS, points)
    gaze = found.weights[:, WEIGHT_NAMES.index("eyeLookUpLeft")]
    np.testing.assert_allclose(gaze[:37], 0.0, atol=0.02)
    np.testing.assert_allclose(gaze[43:], 0.5, atol=0.02)


def test_a_wrong_head_pose_is_no_expression():
    points = model()
    places = np.array([point.place for point in points.points]) - np.array(TEMPLATE_STABLE).mean(0)
    turn = Rotation.from_euler("xyz", [1.5, -1.0, 0.5], degrees=True).as_matrix()
    moved = 1.01 * places @ turn.T - places + (0.002, -0.003, 0.001)
    evidence = Evidence(points)
    none = np.zeros((1, len(WEIGHT_NAMES)))
    opening = np.zeros((1, len(LIP_PAIRS)))
    assert np.abs(moved).max() > 0.009  # more than 2 mm
    felt, of_jaw = evidence.target(moved[None], opening), evidence.design[:, WEIGHT_NAMES.index("jawOpen")]
    assert np.linalg.norm(felt) < 0.05 * np.linalg.norm(of_jaw)
    assert evidence.misfit(moved[None], none)[0] < 0.1 * np.linalg.norm(moved[:, :2], axis=1).mean()


def test_a_voice_closes_lips_that_nearly_touch():
    opening = np.full((20, 3), 0.03)
    opening[5], opening[6], opening[13] = 0.009, 0.005, 0.02
    touching = np.zeros(20, bool)
    touching[[4, 5, 13]] = True
    closed = with_closures(opening, touching, 25.0)
    np.testing.assert_allclose(closed[6], 0.0, atol=1e-12)  # the nearest of what is around, not the voice's own frame
    np.testing.assert_allclose(closed[9:], opening[9:])  # lips 5 mm apart are left to the picture
    assert (closed <= opening).all()


def test_closures_of_a_voice_come_to_the_times_of_the_pictures():
    opening = np.full(48, 8.0)
    opening[24] = 0.2  # one code frame, at 1 s
    for rate in (25.0, 12.0, 60.0):
        times = np.arange(int(1.9 * rate)) / rate
        found = touching_lips(opening, times)
        assert found.any() and np.abs(times[found] - 1.0).max() < 0.08


def test_lost_frames_are_bridged():
    points, weights = model(), motion()
    pixels, scores = tracked(weights, points), scores_of(weights)
    pixels[20:25], scores[20:25] = np.nan, np.nan
    found = fit_weights(pixels, scores, NUMBERS, points)
    assert found.seen.sum() == 55 and np.isnan(found.residual[20:25]).all()
    jaw = found.weights[:, WEIGHT_NAMES.index("jawOpen")]
    expected = np.interp(np.arange(20, 25), [19, 25], jaw[[19, 25]])
    np.testing.assert_allclose(jaw[20:25], expected, atol=0.08)


def test_a_face_that_is_mostly_lost_is_one_sentence():
    points, weights = model(), motion()
    pixels = tracked(weights, points)
    pixels[:40] = np.nan
    with pytest.raises(EngineError, match="lost in 67 % of the pictures"):
        fit_weights(pixels, scores_of(weights), NUMBERS, points)


def test_points_that_are_needed_are_asked_for():
    points, weights = model(), motion()
    with pytest.raises(EngineError, match="track all 478"):
        fit_weights(tracked(weights, points)[:, 1:], scores_of(weights), NUMBERS[1:], points)


def test_head_motion_is_taken_out_exactly():
    points = model()
    still = stabilised(
        tracked(np.zeros((30, len(WEIGHT_NAMES))), points) * (1, -1, -1),
        [NUMBERS.index(number) for number in STABLE],
        np.ones(30, bool),
    )
    assert np.ptp(still, axis=0).max() < 1e-6 * PIXELS


def test_a_similarity_is_found_exactly():
    points = np.random.default_rng(0).normal(size=(9, 3))
    turn = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    scale, rotation, shift = similarity(points, 0.3 * points @ turn.T + (1, 2, 3))
    assert scale == pytest.approx(0.3)
    np.testing.assert_allclose(rotation, turn, atol=1e-12)
    np.testing.assert_allclose(shift, (1, 2, 3), atol=1e-12)


def test_the_face_at_rest_is_looked_for_where_it_was_seen():
    scores = np.zeros((20, len(ARKIT_NAMES)))
    scores[5:, ARKIT_NAMES.index("jawOpen")] = 0.5
    seen = np.ones(20, bool)
    seen[:3] = False
    assert set(resting(scores, seen)) <= {3, 4}


def test_values_come_to_the_times_of_the_codes():
    times = np.array([0.0, 0.1, 0.3, 0.4])
    found = at_code_times((10 * times)[:, None], times, 20.0)
    np.testing.assert_allclose(found[:, 0], 10 * np.arange(len(found)) / 20, atol=1e-9)
    assert len(found) in (8, 9)


def test_the_pose_is_that_of_the_head_wherever_the_camera_stood():
    frames = 40
    pose = np.zeros((frames, len(POSE_NAMES)))
    pose[:, :3] = np.stack([5 * np.sin(np.arange(frames) / 4), 12 * np.sin(np.arange(frames) / 7), np.zeros(frames)], 1)
    inside = rotations(pose).astype(float)
    camera = Rotation.from_euler("xyz", [5, 30, -4], degrees=True).as_matrix()
    matrices = np.tile(np.eye(4), (frames, 1, 1))
    matrices[:, :3, :3] = camera @ TO_BLENDER.T @ inside @ TO_BLENDER
    centre = 100 * (inside @ ORIGIN) @ TO_BLENDER  # centimetres, in the tracker's axes
    matrices[:, :3, 3] = centre @ camera.T + (0, 0, -50)
    matrices[10] = np.nan
    found = head_pose(matrices)
    np.testing.assert_allclose(found[:, :3] - found[:, :3].mean(0), pose[:, :3] - pose[:, :3].mean(0), atol=0.5)
    assert np.abs(found[:, 3:]).max() < 4.0
    assert np.isfinite(found).all()


def write_video(path, frames: int = 12, sounding: bool = True) -> np.ndarray:
    """A gray video of 24 frames a second that gets brighter, with a tone; the samples of the tone."""
    av = pytest.importorskip("av")
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * frames / 24)) / 16000)).astype(np.float32)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=24)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        audio = container.add_stream("aac", rate=16000, layout="mono") if sounding else None
        for number in range(frames):
            pixels = np.full((48, 64, 3), 40 + 10 * number, np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
            frame.sample_rate = 16000
            container.mux(audio.encode(frame))
            container.mux(audio.encode())
    return tone


def test_pictures_and_sound_of_a_video_are_read(tmp_path):
    tone = write_video(tmp_path / "take.mp4")
    found = list(pictures(tmp_path / "take.mp4"))
    np.testing.assert_allclose([picture.time for picture in found], np.arange(12) / 24, atol=1e-3)
    brightness = [picture.pixels.mean() for picture in found]
    np.testing.assert_allclose(brightness, 40 + 10 * np.arange(12), atol=6)
    samples = sound(tmp_path / "take.mp4")
    assert len(samples) == pytest.approx(len(tone), abs=2200)
    middle = samples[2000:6000]
    assert middle.std() == pytest.approx(tone.std(), rel=0.1)


def test_videos_that_cannot_be_used_are_one_sentence(tmp_path):
    write_video(tmp_path / "silent.mp4", sounding=False)
    with pytest.raises(EngineError, match="has no sound"):
        sound(tmp_path / "silent.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"nonsense")
    for read in (sound, lambda path: list(pictures(path))):
        for name in ("broken.mp4", "absent.mp4"):
            with pytest.raises(EngineError, match="damaged, missing or no video"):
                read(tmp_path / name)


def test_a_missing_landmarker_is_one_sentence(tmp_path):
    pytest.importorskip("mediapipe")
    with pytest.raises(EngineError, match=r"face_landmarker\.task"):
        track_face([], tmp_path / "absent.task")
