"""Renders captures of talking heads, with sound, calibration and the truth: `python -m training.capture render`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from engine.engine import Engine
from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.units import SAMPLE_RATE
from training.capture.layout import (
    ALPHA,
    DEPTH,
    IMAGES,
    NORMALS,
    SEGMENTATION,
    Sequence,
    save_arrays,
    write_cameras,
)
from training.capture.rendering import Errors, View, picture_size, recorded, rig
from training.capture.talking_head import TalkingHead, frames_of, seated_poses
from training.data.corpus import emphasis
from training.data.kokoro import OFFSET, phone_rows
from training.data.utterance import read_audio, shifted
from training.head.ict import ARCHIVE, FaceKit, random_coefficients
from training.phones import Segment, segments_from_labels
from training.prior.performance import perform

# The paper says of its captures that they are quiet and full of noise: 20 dB down, noise 15 dB under the voice.
QUIETER_DB, SIGNAL_TO_NOISE_DB = 20.0, 15.0


@dataclass(frozen=True)
class RigOptions:
    """What is rendered.

    data: data folder with head/ict_facekit.npz and kokoro/. width: of pictures, pixels. seconds: longest sentence.
    """

    data: Path
    people: int = 3
    sentences: int = 4
    cameras: int = 16
    width: int = 128
    seconds: float = 3.0
    seed: int = 1
    errors: Errors = field(default_factory=Errors)


@dataclass(frozen=True)
class Sentence:
    """A spoken sentence: samples (S,) float32 at 16 kHz and its phones."""

    key: str
    text: str
    samples: np.ndarray
    segments: list[Segment]


def render(output: Path, options: RigOptions) -> list[Sequence]:
    """Render the captures that are not there yet; a sequence appears when it is whole.

    Raises EngineError when data is missing.
    """
    face_kit = FaceKit.load(options.data / ARCHIVE)
    sentences = spoken_sentences(options.data, options.people * options.sentences, options.seconds)
    cameras = rig(options.cameras)
    engine = Engine.load()
    made = []
    for person in range(options.people):
        participant = f"{person + 1:03d}"
        generator = np.random.default_rng((options.seed, person))
        coefficients = random_coefficients(generator)
        write_cameras(output / participant, cameras)
        _save_identity(output / participant, engine.head.modes.code(coefficients))
        for number in range(options.sentences):
            sentence = sentences[person * options.sentences + number]
            sequence = Sequence(output, participant, f"SEN-{number + 1:02d}-{_slug(sentence.text)}")
            made.append(sequence)
            if sequence.truth.is_file():
                continue
            _render_sequence(sequence, face_kit, coefficients, sentence, options, generator.spawn(1)[0])
            print(f"{sequence.dataset_name}: {frames_of(len(sentence.samples) / SAMPLE_RATE)} frames")
    return made


def spoken_sentences(data: Path, count: int, longest: float, shortest: float = 2.1) -> list[Sentence]:
    """Labelled English sentences between two lengths in seconds, each by another voice as far as there are voices.

    Raises EngineError when the data folder has too few.
    """
    folder = data / "kokoro"
    if not (folder / "labels.json").is_file():
        raise EngineError(f"{folder} has no labels.json; the rig speaks Kokoro's sentences (docs/train.md).")
    labels = json.loads((folder / "labels.json").read_text("utf-8"))
    by_voice: dict[str, list[str]] = {}
    for key in sorted(labels):
        if key.startswith("en") and shortest <= 0.025 * sum(labels[key]["frames"]) <= longest:
            by_voice.setdefault(labels[key]["voice"], []).append(key)
    keys = [
        voice[turn]
        for turn in range(max(map(len, by_voice.values()), default=0))
        for voice in by_voice.values()
        if turn < len(voice)
    ]
    if len(keys) < count:
        raise EngineError(
            f"{folder} has {len(keys)} English sentences of {shortest:g} to {longest:g} s; {count} are wanted."
        )
    return [_sentence(folder, key, labels[key]) for key in keys[:count]]


def _sentence(folder: Path, key: str, entry: dict) -> Sentence:
    samples = read_audio(folder / "audio" / f"{key}.opus").astype(np.float32) / 32768
    rows = shifted(phone_rows(entry["tokens"], entry["frames"]), OFFSET)
    segments = segments_from_labels(rows, len(samples) / SAMPLE_RATE, emphasis(rows, samples))
    return Sentence(key, entry["text"], samples, segments)


def _render_sequence(
    sequence: Sequence,
    face_kit: FaceKit,
    coefficients: np.ndarray,
    sentence: Sentence,
    options: RigOptions,
    generator: np.random.Generator,
) -> None:
    frames = frames_of(len(sentence.samples) / SAMPLE_RATE)
    weights = perform(sentence.segments, frames, int(generator.integers(1 << 31))).weights
    head = TalkingHead(face_kit, coefficients, weights, seated_poses(frames, generator))
    cameras = [camera.resized(picture_size(options.width)) for camera in rig(options.cameras)]
    landmarks = np.zeros((len(cameras), frames, 68, 2), np.float32)
    visible = np.zeros((len(cameras), frames, 68), bool)
    for frame in range(frames):
        for number, view in enumerate(recorded(head, frame, cameras, options.errors, generator)):
            _write_view(sequence, frame, cameras[number].serial, view, len(cameras))
            landmarks[number, frame], visible[number, frame] = view.landmarks, view.visible
    for number, camera in enumerate(cameras):
        size = np.array(camera.size)
        save_arrays(
            sequence.landmarks(camera.serial), landmarks=landmarks[number], visible=visible[number], image_size=size
        )
    _write_sound(sequence, sentence.samples, generator)
    save_arrays(
        sequence.truth, weights=weights, poses=head.poses, coefficients=coefficients, text=np.array(sentence.text)
    )


def _write_view(sequence: Sequence, frame: int, serial: str, view: View, cameras: int) -> None:
    pictures = {
        IMAGES: view.colour,
        ALPHA: (255 * (view.labels > 0)).astype(np.uint8),
        SEGMENTATION: view.labels,
    }
    for kind, pixels in pictures.items():
        path = sequence.picture(frame, kind, serial)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as part:
            Image.fromarray(pixels).save(part, "PNG", compress_level=1)
    save_arrays(sequence.map(frame, DEPTH, serial, cameras), depth_map=view.depth)
    save_arrays(sequence.map(frame, NORMALS, serial, cameras), normal_map=view.normals)


def _write_sound(sequence: Sequence, samples: np.ndarray, generator: np.random.Generator) -> None:
    """The sentence as a distant microphone hears it: quiet, with noise."""
    quiet = samples * 10 ** (-QUIETER_DB / 20)
    noise = generator.standard_normal(len(samples)) * quiet.std() * 10 ** (-SIGNAL_TO_NOISE_DB / 20)
    path = sequence.folder / "audio" / "audio_recording.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as part:
        soundfile.write(part, (quiet + noise).astype(np.float32), SAMPLE_RATE, format="WAV", subtype="PCM_16")


def _save_identity(participant: Path, code: np.ndarray) -> None:
    participant.mkdir(parents=True, exist_ok=True)
    with replaced(participant / "identity.npy") as part, part.open("wb") as file:
        np.save(file, code)


def _slug(text: str, words: int = 3) -> str:
    letters = "".join(letter if letter.isalnum() else " " for letter in text.lower())
    return "_".join(letters.split()[:words])
