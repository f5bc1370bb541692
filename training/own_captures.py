"""A person's own captures for `python -m training.motion --captures FOLDER`: sound with Live Link Face CSV, or videos.

A pair is `NAME.wav` (or .flac, .ogg, .opus, .mp3) and `NAME.csv`, which begin at the same moment; a video with sound
needs the packages mediapipe and av. The last fifth of every recording is kept out, to tell what the training changed.
Mouth, jaw and tongue are learnt; lids, gaze, brows and head stay those of the prior.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from engine.engine import Engine
from engine.face_capture.video import sound
from engine.motion import audio, diffusion
from engine.motion.codes import expression_basis, weights_from_codes
from engine.motion.denoiser import ExpressionDecoder
from engine.motion.prosody import with_prosody
from engine.motion.speech import SpeechEncoder
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import control_rows, drawn_traits
from engine.shared.errors import EngineError
from engine.shared.lip_opening import lip_opening_mm
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from engine.shared.weights import WEIGHT_NAMES
from training.data.corpus import Corpus
from training.prior.captured_motion import sealed_lips
from training.prior.scenes import SCENE_FRAMES, Scene, SceneMaker

SOUNDS, VIDEOS = (".wav", ".flac", ".ogg", ".opus", ".mp3"), (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
KEPT_OUT = 0.2  # of every recording
LEAST_SECONDS = 30.0  # of all that is learnt of
PAUSE = 0.4  # seconds between two recordings that are joined
SILENT_SHARE = 0.1
GUIDANCE = 1.5
_TIME = re.compile(r"(\d+):(\d+):(\d+)[:;](\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Capture:
    """name of the file. samples: (S,) at 16 kHz. weights: (N, 57) at the code rate."""

    name: str
    samples: np.ndarray
    weights: np.ndarray

    def part(self, first: float, last: float) -> Capture:
        """From one share of it to another."""
        frames = [round(share * len(self.weights)) for share in (first, last)]
        places = [round(frame / CODE_RATE * SAMPLE_RATE) for frame in frames]
        return Capture(self.name, self.samples[slice(*places)], self.weights[slice(*frames)])


def captures_of(folder: Path) -> list[Capture]:
    """All captures of a folder, by name. Raises EngineError for one that cannot be used, or when there is none."""
    if not folder.is_dir():
        raise EngineError(f"There is no folder {folder}; name one with sound and CSV pairs, or videos.")
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in VIDEOS:
            take = Engine.load().capture(path)
            found.append(_capture(path, sound(path), np.asarray(take.weights)))
        elif path.suffix.lower() in SOUNDS and (table := path.with_suffix(".csv")).is_file():
            found.append(_capture(path, audio.load(path), read_live_link(table)))
    if not found:
        raise EngineError(f"{folder} has no sound with a CSV of the same name, and no video; put some there.")
    seconds = sum(len(capture.weights) for capture in found) / CODE_RATE * (1 - KEPT_OUT)
    if seconds < LEAST_SECONDS:
        raise EngineError(f"{folder} leaves {seconds:.0f} s to learn from; record at least {LEAST_SECONDS:.0f} s.")
    return found


def _capture(path: Path, samples: np.ndarray, weights: np.ndarray) -> Capture:
    frames = min(len(weights), int(len(samples) / SAMPLE_RATE * CODE_RATE))
    return Capture(path.name, samples[: round(frames / CODE_RATE * SAMPLE_RATE)], sealed_lips(weights[:frames]))


def read_live_link(path: Path) -> np.ndarray:
    """Weights (N, 57) at the code rate of a CSV of Live Link Face. Raises EngineError when it is none."""
    try:
        rows = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
        header = [name[:1].lower() + name[1:] for name in rows[0]]
        columns = [header.index(name) for name in ARKIT_NAMES]
        rows = [row for row in rows[1:] if len(row) > max(columns) and row[columns[0]]]
        table = np.array([[float(row[column]) for column in columns] for row in rows])
        times = _seconds([row[0] for row in rows])
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise EngineError(f"{path.name} is no CSV of Live Link Face; export it from the app again.") from error
    wanted = np.arange(max(int((times[-1] - times[0]) * CODE_RATE), 1)) / CODE_RATE
    weights = np.zeros((len(wanted), len(WEIGHT_NAMES)), np.float32)
    for column in range(len(ARKIT_NAMES)):
        weights[:, column] = np.interp(wanted, times - times[0], table[:, column])
    return np.clip(weights, 0, 1)


def _seconds(codes: list[str]) -> np.ndarray:
    """Times of time codes; the frames of a second are as many as the largest count says."""
    parts = np.array([[float(part) for part in found.groups()] for code in codes if (found := _TIME.match(code))])
    if len(parts) != len(codes) or len(parts) < 2:
        raise ValueError("time codes")
    rate = next((usual for usual in (24, 25, 30, 60, 120) if parts[:, 3].max() < usual), 240)
    return parts[:, :3] @ (3600, 60, 1) + parts[:, 3] / rate


def own_scenes(captures: list[Capture], seed: int) -> list[Scene]:
    """Scenes of what is learnt of the captures, joined with pauses, and of silence."""
    maker = SceneMaker(Corpus([], np.zeros(0, np.int16)), seed)
    pause = round(PAUSE * CODE_RATE)
    samples: list[np.ndarray] = []
    weights: list[np.ndarray] = []
    for capture in (capture.part(0, 1 - KEPT_OUT) for capture in captures):
        if weights:
            between = np.linspace(weights[-1][-1], capture.weights[0], pause)
            weights.append(between.astype(np.float32))
            samples.append(np.zeros(round(pause / CODE_RATE * SAMPLE_RATE), np.float32))
        weights.append(capture.weights)
        samples.append(capture.samples)
    whole = np.concatenate(weights)
    short = -len(whole) % SCENE_FRAMES
    whole = np.concatenate([whole, np.repeat(whole[-1:], short, 0)])
    scenes = maker.recorded(np.concatenate(samples), whole, "own", as_usual=True)
    return scenes + maker.silent(max(round(SILENT_SHARE * len(scenes)), 1))


@torch.inference_mode()
def likeness(decoder: ExpressionDecoder, encoder: SpeechEncoder, captures: list[Capture]) -> dict[str, float]:
    """Correlation of lip opening and jaw of takes with what was kept out of the captures, the mean by their length."""
    device, config = decoder.null_condition.device, decoder.config
    sums, frames = {"lip opening": 0.0, "jawOpen": 0.0}, 0
    for number, capture in enumerate(capture.part(1 - KEPT_OUT, 1) for capture in captures):
        if len(capture.weights) < CODE_RATE:
            continue
        features = encoder.features(capture.samples)
        if config.prosody_dimensions:
            features = with_prosody(features, capture.samples)
        rows = control_rows(config.controls, drawn_traits(number), len(features))
        controls = torch.from_numpy(rows) if config.controls else None
        codes = diffusion.sample(
            decoder, features.to(device), seed=number, guidance=GUIDANCE, controls=controls
        ).numpy()
        found = weights_from_codes(codes[:, : config.code_dimensions], expression_basis())
        length = min(len(found), len(capture.weights))
        for name, of in (("lip opening", lip_opening_mm), ("jawOpen", _jaw)):
            pair = np.corrcoef(of(found[:length]), of(capture.weights[:length]))
            sums[name] += length * float(np.nan_to_num(pair[0, 1]))
        frames += length
    return {name: value / max(frames, 1) for name, value in sums.items()}


def _jaw(weights: np.ndarray) -> np.ndarray:
    return weights[:, ARKIT_NAMES.index("jawOpen")]
