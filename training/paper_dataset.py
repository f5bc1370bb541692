"""Speech with tracked expression codes in the folder layout of FaceTalk's dataset.

    DATA/<ID>_<Sequence>/audio/cleaned_audio.wav
    DATA/<ID>_<Sequence>/nphm_tracking/nphm_expressions/frame_<number>.npz
    DATA/<ID>_<Sequence>/flame_2023_tracking/parameters.npz        for the FLAME baseline: expression (N, E)
    DATA/<ID>_<Sequence>/point_clouds/landmarks.npz                for the landmark condition: landmarks (N, 68, 3)

One file holds the expression code of one frame, at 24 frames per second; other files and folders are left alone.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_npz
from engine.shared.units import CODE_RATE

CODES = Path("nphm_tracking") / "nphm_expressions"
FLAME_PARAMETERS = Path("flame_2023_tracking") / "parameters.npz"
LANDMARKS = Path("point_clouds") / "landmarks.npz"
CLEANED = "cleaned_audio.wav"
LAYOUT = f"<ID>_<Sequence>/audio/*.wav with <ID>_<Sequence>/{CODES.as_posix()}/frame_*.npz"
# Cutting sound and video at frame borders may leave one frame more of either.
LARGEST_DIFFERENCE = 1
MAXIMUM_FRAME_BYTES = 1 << 20
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class TrackedSequence:
    """One recording: its sound file and its expression codes (N, D) float32 at 24 Hz."""

    name: str
    audio: Path
    codes: np.ndarray

    @property
    def folder(self) -> Path:
        """Where all that belongs to the sequence lies."""
        return self.audio.parent.parent


def read_sequences(
    folder: Path, shortest: int, key: str | None = None, codes_of: Callable[[Path], np.ndarray] | None = None
) -> list[TrackedSequence]:
    """All sequences of a dataset by name, sound and codes of equal length.

    shortest: frames that every sequence must have. key: name of the code's array in a frame's file; may be left out
    when a file holds one array. codes_of: reads something else as the codes (N, D) of a sequence's folder.

    Raises EngineError for the first sequence that is not complete, does not fit the others or cannot be read.
    """
    folders = sorted(path for path in folder.glob("*_*") if (path / "audio").is_dir() or (path / CODES).is_dir())
    if not folders:
        raise EngineError(f"{folder} has no sequences; lay them out as {LAYOUT}.")
    sequences = [_sequence(path, shortest, key, codes_of) for path in folders]
    first = sequences[0]
    for sequence in sequences:
        if sequence.codes.shape[1] != first.codes.shape[1]:
            raise EngineError(
                f"The codes of {sequence.name} have {sequence.codes.shape[1]} numbers and those of {first.name} "
                f"{first.codes.shape[1]}; track all sequences with one model."
            )
    return sequences


def split(
    sequences: list[TrackedSequence], share: float, seed: int
) -> tuple[list[TrackedSequence], list[TrackedSequence]]:
    """Whole sequences for training and for validation, at least one of each; the same for the same names and seed.

    share: of the sequences, for validation. Raises EngineError when there are fewer than two sequences.
    """
    if len(sequences) < 2:
        raise EngineError("The dataset has one sequence; add another, since one is kept out for validation.")
    order = np.random.default_rng(seed).permutation(len(sequences))
    count = min(max(round(share * len(sequences)), 1), len(sequences) - 1)
    kept_out = set(order[:count].tolist())
    parts = [[s for place, s in enumerate(sequences) if (place in kept_out) == wanted] for wanted in (False, True)]
    return parts[0], parts[1]


def flame_expressions(folder: Path) -> np.ndarray:
    """FLAME's expression coefficients (N, E) of a sequence. Raises EngineError when FLAME was not fitted to it."""
    found = _array_of(folder / FLAME_PARAMETERS, "expression", "run python -m training.capture flame")
    if found.ndim != 2 or not found.size:
        raise EngineError(f"{folder.name} has no expression coefficients a frame; fit FLAME to it again.")
    return found


def read_landmarks(folder: Path) -> np.ndarray:
    """Landmarks (N, 68, 3) of a sequence at the codes' rate, NaN where not seen. Raises EngineError for none."""
    return _array_of(folder / LANDMARKS, "landmarks", "run python -m training.capture points")


def _array_of(path: Path, name: str, fix: str) -> np.ndarray:
    try:
        return read_npz(path)[name].astype(np.float32)
    except UNREADABLE as error:
        raise EngineError(f"{path} is missing or holds no {name}; {fix}.") from error


def _sequence(
    folder: Path, shortest: int, key: str | None, codes_of: Callable[[Path], np.ndarray] | None
) -> TrackedSequence:
    audio = _audio_file(folder)
    codes = codes_of(folder) if codes_of else read_codes(folder, key)
    frames = _sound_frames(audio)
    if abs(frames - len(codes)) > LARGEST_DIFFERENCE:
        raise EngineError(
            f"The sound of {folder.name} lasts {frames} frames at {CODE_RATE:g} Hz, but it has {len(codes)} frames of "
            "codes; cut both to the same length."
        )
    codes = codes[:frames]
    if len(codes) < shortest:
        raise EngineError(
            f"{folder.name} has {len(codes)} frames, but training takes {shortest} at once; remove that sequence."
        )
    return TrackedSequence(folder.name, audio, codes)


def _audio_file(folder: Path) -> Path:
    found = sorted((folder / "audio").glob("*.wav"))
    cleaned = [path for path in found if path.name == CLEANED]
    if not found:
        raise EngineError(f"{folder.name} has no sound; put {CLEANED} into its folder audio.")
    if len(found) > 1 and not cleaned:
        raise EngineError(f"{folder.name} has {len(found)} sounds; name the one that was tracked {CLEANED}.")
    return cleaned[0] if cleaned else found[0]


def _sound_frames(audio: Path) -> int:
    try:
        information = soundfile.info(audio)
    except (soundfile.LibsndfileError, OSError) as error:
        raise EngineError(f"{audio} is damaged or not a sound file; convert it to WAV again.") from error
    return round(CODE_RATE * information.frames / information.samplerate)


def read_codes(folder: Path, key: str | None = None) -> np.ndarray:
    """The expression codes (N, D) of a sequence's folder, as `read_sequences` reads them; its sound is not needed."""
    numbers = {}
    for path in (folder / CODES).glob("frame_*.npz"):
        match = re.fullmatch(r"frame_(\d+)", path.stem)
        if match:
            numbers[int(match[1])] = path
    if not numbers:
        raise EngineError(f"{folder.name} has no codes; put frame_<number>.npz into its folder {CODES.as_posix()}.")
    missing = sorted(set(range(min(numbers), max(numbers))) - set(numbers))
    if missing:
        raise EngineError(
            f"{folder.name} lacks {len(missing)} frames of codes, the first is frame {missing[0]}; track them too, or "
            "cut the sequence there."
        )
    codes = [_code(numbers[number], key) for number in sorted(numbers)]
    for number, code in zip(sorted(numbers), codes, strict=True):
        if len(code) != len(codes[0]):
            raise EngineError(
                f"{numbers[number]} has {len(code)} numbers and the frames before it {len(codes[0])}; track it again."
            )
    return np.stack(codes)


def _code(path: Path, key: str | None) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if sum(entry.file_size for entry in archive.zip.infolist()) > MAXIMUM_FRAME_BYTES:
                raise EngineError(f"{path} is too large for one expression code; check that it is a frame of codes.")
            names = archive.files
            chosen = key if key is not None else names[0] if len(names) == 1 else None
            if chosen not in names:
                raise EngineError(f"{path} holds {', '.join(names) or 'nothing'}; name the code's array with --key.")
            code = archive[chosen].reshape(-1)
    except _UNREADABLE as error:
        raise EngineError(f"{path} is damaged or not an .npz file of numbers; track that frame again.") from error
    if code.dtype.kind != "f" or not len(code):
        raise EngineError(f"{path} does not hold real numbers; track that frame again.")
    if not np.isfinite(code).all():
        raise EngineError(f"{path} holds NaN or infinity; track that frame again.")
    return code.astype(np.float32)
