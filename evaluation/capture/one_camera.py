"""What one camera tells: MediaPipe on rendered heads whose motion is known, and on a filmed speaker whose phones are.

    python -m evaluation.capture.one_camera --data DATA --output docs/evaluation

Writes `one_camera.md` and `one_camera.json`. The tracker's own scores, read as weights, stand beside the fit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from engine.engine import Engine
from engine.face_capture.fitting import fit_weights, touching_lips
from engine.face_capture.head_pose import TO_BLENDER, head_pose
from engine.face_capture.landmarker import MODEL, POINTS, track_face
from engine.face_capture.points_of_head import point_model
from engine.face_capture.video import Picture
from engine.motion.codes import codes_from_weights
from engine.shared.controls import BLINK_RATE
from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT
from engine.shared.weights import WEIGHT_NAMES
from evaluation.capture.filmed import RATE, FilmedSentence, figures_of, filmed_sentences, heard
from evaluation.capture.one_camera_report import report_text
from evaluation.shared.reports import write_report
from training.capture.cameras import Camera, looking_at
from training.capture.rendering import Errors, recorded
from training.capture.talking_head import TalkingHead, seated_poses
from training.head.ict import ARCHIVE, FaceKit, random_coefficients
from training.run.options import exit_status

ROOT = Path(__file__).resolve().parents[2]
VOICE = ROOT / "demo" / "voice.wav"
PEOPLE, SENTENCE_STEP = 3, 21
SIZE, FOCAL = (288, 360), 1000.0  # pixels: 36 cm high at a metre
FEELINGS = ("joy", "surprise", "anger")  # of the takes, each rising and falling beside the next
# What is added up, and what is taken off: brows are higher the more they rise and the less they are lowered.
CHANNELS = {
    "jaw": (("jawOpen",), ()),
    "smile": (("mouthSmileLeft", "mouthSmileRight"), ()),
    "brows": (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), ("browDownLeft", "browDownRight")),
    "blink": (("eyeBlinkLeft", "eyeBlinkRight"), ()),
    "rounding": (("mouthPucker", "mouthFunnel"), ()),
    "mouth stretched": (("mouthStretchLeft", "mouthStretchRight"), ()),
}
OPENING = "lip opening"
POSE = ("pitch", "yaw", "roll")


def camera() -> Camera:
    """Before the face, a metre away."""
    return looking_at("front", np.array([0.0, 0.0, 1.0]), np.array([0.0, -0.02, 0.0]), FOCAL, SIZE)


def rendered_heads(data: Path, engine: Engine) -> Iterator[TalkingHead]:
    """People who say the demo's sentence with changing feelings and move their heads."""
    face_kit = FaceKit.load(data / ARCHIVE)
    for person in range(PEOPLE):
        generator = np.random.default_rng(person)
        first, second = FEELINGS[person], FEELINGS[(person + 1) % len(FEELINGS)]
        waves = np.array([[t / 10, np.sin(1.4 * t / 10)] for t in range(100)])
        up, down = (np.stack([waves[:, 0], np.clip(sign * waves[:, 1], 0, 1)], 1) for sign in (1, -1))
        # In few seconds not everybody blinks, unless more blinks are asked for.
        take = engine.sample(VOICE, seed=person, controls={first: up, second: down, BLINK_RATE: 1.0})
        if take.weights is None:
            raise EngineError("This bundle's codes have no ARKit weights; run 'fit-arkit' on it first.")
        coefficients = np.zeros(100) if person == 0 else random_coefficients(generator)
        weights = take.weights.astype(np.float64)
        yield TalkingHead(face_kit, coefficients, weights, seated_poses(len(weights), generator))


def pictures_of(head: TalkingHead) -> Iterator[Picture]:
    """What the camera sees at 24 pictures a second."""
    faultless, generator = Errors(0, 0, 0, 0, 0), np.random.default_rng(0)
    for frame in range(len(head.weights)):
        yield Picture(frame / CODE_RATE, recorded(head, frame, [camera()], faultless, generator)[0].colour)


def measured_head(head: TalkingHead, landmarker: Path, engine: Engine) -> dict[str, dict[str, float]]:
    """Correlations with the truth of each channel of scores and fit; errors of opening in mm, of pose in degrees."""
    track = track_face(pictures_of(head), landmarker)
    fitted = fit_weights(track.points, track.scores, range(POINTS), point_model(engine.head), CODE_RATE)
    scores = np.zeros_like(head.weights)
    scores[:, : track.scores.shape[1]] = np.nan_to_num(track.scores)
    opening = partial(_opening, engine)
    true = opening(head.weights)
    found: dict[str, dict[str, float]] = {"scores": {}, "fit": {}, "errors": {}}
    for name, weights in (("scores", scores), ("fit", fitted.weights)):
        for channel in CHANNELS:
            found[name][channel] = _correlation(channel_of(weights, channel), channel_of(head.weights, channel))
        found[name][OPENING] = _correlation(opening(weights), true)
        found["errors"][f"opening of {name}"] = float(np.abs(opening(weights) - true).mean())
    found["errors"]["points"] = MILLIMETRES_PER_UNIT * float(np.nanmedian(fitted.residual))
    turns, tracked = true_turns(head.poses), head_pose(track.poses)[:, :3]
    for axis, name in enumerate(POSE):
        found["fit"][name] = _correlation(tracked[:, axis], turns[:, axis])
        off = (tracked - tracked.mean(0)) - (turns - turns.mean(0))
        found["errors"][name] = float(np.sqrt((off[:, axis] ** 2).mean()))
    return found


def channel_of(weights: np.ndarray, channel: str) -> np.ndarray:
    """How far weights (N, 57) move a channel, (N,)."""
    more, less = ([WEIGHT_NAMES.index(name) for name in names] for names in CHANNELS[channel])
    return weights[:, more].sum(1) - weights[:, less].sum(1)


def true_turns(poses: np.ndarray) -> np.ndarray:
    """Pitch, yaw and roll (N, 3) in degrees of a head's poses (N, 4, 4), measured from their mean."""
    plain = poses[:, :3, :3] / np.linalg.norm(poses[:, :3, :1], axis=1, keepdims=True)
    turns = Rotation.from_matrix(TO_BLENDER @ plain @ TO_BLENDER.T)
    roll, pitch, yaw = (turns.mean().inv() * turns).as_euler("yxz", degrees=True).T
    return np.stack([pitch, yaw, roll], 1)


def measured_film(data: Path, engine: Engine, step: int) -> dict[str, dict[str, float]]:
    """Figures of the scores, the fit, and the fit that also hears the voice."""
    numbers, sentences = filmed_sentences(data, step)
    model = point_model(engine.head)
    found: dict[str, list] = {"scores": [], "fit": [], "fit with the voice": []}
    for sentence in sentences:
        fit = partial(fit_weights, sentence.points, sentence.scores, numbers, model, RATE)
        found["scores"].append(heard(sentence, sentence.scores, engine))
        found["fit"].append(heard(sentence, fit().weights, engine))
        closing = _closures(sentence, engine)
        found["fit with the voice"].append(heard(sentence, fit(touching=closing).weights, engine))
    if not found["fit"]:
        raise EngineError(f"{data} has none of GRID's sentences that were tracked; see docs/train.md.")
    return {name: figures_of(each) | {"sentences": len(each)} for name, each in found.items()}


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m evaluation.capture.one_camera", description=__doc__, formatter_class=plain
    )
    parser.add_argument("--data", type=Path, required=True, help="data folder with head/ and grid/ (docs/train.md)")
    parser.add_argument("--landmarker", type=Path, default=MODEL, help="MediaPipe's face_landmarker.task")
    parser.add_argument(
        "--step", type=int, default=SENTENCE_STEP, help="every so many sentences (default: %(default)s)"
    )
    parser.add_argument("--output", type=Path, required=True, help="folder of the report")
    options = parser.parse_args(arguments)

    def command() -> None:
        engine = Engine.load(device="cpu")
        heads, frames = [], 0
        for head in rendered_heads(options.data, engine):
            heads.append(measured_head(head, options.landmarker, engine))
            frames += len(head.weights)
        film = measured_film(options.data, engine, options.step)
        write_report(options.output, "one_camera", {"heads": heads, "frames": frames, "film": film}, report_text)

    return exit_status(command)


def _closures(sentence: FilmedSentence, engine: Engine) -> np.ndarray | None:
    opening = engine.lips_of_voice(sentence.utterance.samples.astype(np.float32) / 32768)
    return None if opening is None else touching_lips(opening, sentence.times)


def _opening(engine: Engine, weights: np.ndarray) -> np.ndarray:
    """Lip opening (N,) in mm of weights (N, 57) on the mean head."""
    opening = engine.lip_opening(codes_from_weights(weights.astype(np.float32), engine.head.arkit_map.basis))
    if opening is None:
        raise EngineError("This head does not tell the lip opening; use one that does.")
    return opening


def _correlation(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.corrcoef(found, true)[0, 1]) if found.std() > 0 and true.std() > 0 else 0.0


if __name__ == "__main__":
    sys.exit(main())
