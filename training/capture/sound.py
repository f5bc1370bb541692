"""Sound of captures: amplified and freed of noise, its features at 24 Hz, and segments of one length.

    python -m training.capture sound CAPTURES --output SET          audio/cleaned_audio.wav
    python -m training.capture features SET --speech-encoder WAV2VEC2       audio/wave2vec_audio_feats.safetensors
    python -m training.capture segments SET --output SEGMENTS --seconds 2

The paper amplifies by 20 dB, then removes the noise with the package noisereduce (supplement D, "Audio Processing").
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from engine.hostile_weights import read_safetensors
from engine.motion import audio
from engine.motion.speech import SpeechEncoder
from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.hostile_files import UNREADABLE
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.capture.expression_fitting import write_codes
from training.capture.plain_pickles import read_pickle
from training.paper_dataset import CLEANED, CODES, read_codes

AMPLIFIED_DB = 20.0
# All of the noise that the package finds is part voice: of four voices with noise 15 dB under them 8 dB are left, by
# this share 12, and pauses fall by 12 dB.
REDUCED = 0.8
LOUDEST = 0.89  # of full scale after amplification, -1 dB; a loud recording is amplified less
FULL_SCALE = 0.999
CLIPPED_SHARE = 1e-3  # of the samples at full scale: more is no peak any more
FEATURES, PAPERS_FEATURES = "wave2vec_audio_feats.safetensors", "wave2vec_audio_feats.pkl"


@dataclass(frozen=True)
class CleanSound:
    """Samples (S,) float32 at 16 kHz, and by how much they were amplified."""

    samples: np.ndarray
    decibels: float


def cleaned(samples: np.ndarray, name: str) -> CleanSound:
    """A recording (S,) at 16 kHz amplified by 20 dB, or as far as it goes, and without its steady noise.

    Raises EngineError when the recording is silent, or noisereduce is not installed.
    """
    try:
        from noisereduce import reduce_noise
    except ImportError as error:
        raise EngineError("Cleaning sound takes the package noisereduce; pip install noisereduce.") from error
    peak = float(np.abs(samples).max(initial=0.0))
    if not peak:
        raise EngineError(f"{name} is silent; choose the recording of the microphone that was on.")
    gain = min(10 ** (AMPLIFIED_DB / 20), LOUDEST / peak)
    quiet = reduce_noise(y=gain * samples.astype(np.float64), sr=SAMPLE_RATE, prop_decrease=REDUCED)
    return CleanSound(np.clip(quiet, -1.0, 1.0).astype(np.float32), 20 * float(np.log10(gain)))


def check_level(source: Path) -> None:
    """Raises EngineError when a sound file is clipped or cannot be read."""
    try:
        with soundfile.SoundFile(source) as file:
            counts = [int((np.abs(block) >= FULL_SCALE).sum()) for block in file.blocks(1 << 20, dtype="float32")]
            share = sum(counts) / max(file.frames * file.channels, 1)
    except (soundfile.LibsndfileError, OSError) as error:
        raise EngineError(f"{source} is damaged or not a sound file; copy it again from the capture.") from error
    if share > CLIPPED_SHARE:
        raise EngineError(
            f"{source} is clipped: {100 * share:.1f} % of its samples are at full scale; use a quieter recording."
        )


def clean_file(source: Path, folder: Path) -> float:
    """Clean a recording into a dataset's sequence, unless that is done; the amplification in dB, 0 when it was.

    Raises EngineError when the recording is clipped, silent or damaged.
    """
    target = folder / "audio" / CLEANED
    if target.is_file():
        return 0.0
    check_level(source)
    sound = cleaned(audio.load(source), source.name)
    write_sound(target, sound.samples)
    return sound.decibels


def write_sound(path: Path, samples: np.ndarray) -> None:
    """Write samples (S,) at 16 kHz as WAV; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced(path) as part:
        soundfile.write(part, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")


def encoder_digest(encoder: SpeechEncoder) -> str:
    """What tells an encoder's weights from others."""
    digest = hashlib.sha256()
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def cached_features(sound: Path, encoder: SpeechEncoder) -> torch.Tensor:
    """Features (N, A) half precision of a sequence's sound at 24 Hz, kept beside it.

    They are made again when the sound or the encoder is another one.
    """
    path = sound.parent / FEATURES
    wanted = f"{hashlib.sha256(sound.read_bytes()).hexdigest()[:16]}-{encoder_digest(encoder)}"
    found = _read_features(path)
    if found is not None and wanted in found:
        return found[wanted]
    features = encoder.features(audio.load(sound)).half().cpu()
    with replaced(path) as part:
        save_file({wanted: features.contiguous()}, part)
    return features


def papers_features(folder: Path, frames: int) -> torch.Tensor | None:
    """The paper's cached features (N, A) of a sequence, read without running anything; None when it has none.

    Raises EngineError when they are foreign, damaged, or of another number of frames.
    """
    path = folder / "audio" / PAPERS_FEATURES
    if not path.is_file():
        return None
    found = read_pickle(path)
    values = np.asarray(next(iter(found.values())) if isinstance(found, dict) and len(found) == 1 else found)
    values = (
        values.reshape(values.shape[-2:]) if values.ndim > 2 and values.size == np.prod(values.shape[-2:]) else values
    )
    if values.ndim != 2 or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise EngineError(f"{path} holds no features of frames; remove it, so that they are made anew.")
    if abs(len(values) - frames) > 1:
        raise EngineError(
            f"{path} has {len(values)} frames and the sequence {frames}; remove it, so that they are made anew."
        )
    return torch.from_numpy(values.astype(np.float16))


def difference_from_papers(folder: Path, features: torch.Tensor) -> float | None:
    """How far features (N, A) are from the paper's cached ones: root mean square over theirs; None without them.

    Raises EngineError when those are of another encoder's size, foreign or damaged.
    """
    theirs = papers_features(folder, len(features))
    if theirs is None:
        return None
    if theirs.shape[1] != features.shape[1]:
        raise EngineError(
            f"The features in {folder / 'audio' / PAPERS_FEATURES} have {theirs.shape[1]} numbers and this encoder's "
            f"{features.shape[1]}; choose the encoder that made them."
        )
    count = min(len(theirs), len(features))
    theirs = theirs[:count].float()
    return float((features[:count].float() - theirs).norm() / theirs.norm().clamp_min(1e-9))


def _read_features(path: Path) -> dict[str, torch.Tensor] | None:
    try:
        return read_safetensors(path)
    except (SafetensorError, *UNREADABLE):
        return None


def segmented(folder: Path, output: Path, seconds: float) -> list[Path]:
    """Cut a sequence with sound and codes into segments of one length, the rest is left out; their folders.

    A segment's folder appears when it is whole. Raises EngineError when the sequence is not complete.
    """
    codes, samples = read_codes(folder), audio.load(folder / "audio" / CLEANED)
    count = round(seconds * CODE_RATE)
    if count < 1:
        raise EngineError(f"Segments of {seconds:g} s have no frame; choose longer ones.")
    made = []
    for number in range(min(len(codes), round(len(samples) / SAMPLE_RATE * CODE_RATE)) // count):
        target = output / f"{folder.name}-{number:03d}"
        made.append(target)
        if target.is_dir():
            continue
        part = target.with_name(f".{target.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        first = round(number * count / CODE_RATE * SAMPLE_RATE)
        write_sound(part / "audio" / CLEANED, samples[first : first + round(count / CODE_RATE * SAMPLE_RATE)])
        write_codes(part, codes[number * count : (number + 1) * count])
        identity = folder / CODES.parent / "identity.npy"
        if identity.is_file():
            shutil.copyfile(identity, part / CODES.parent / "identity.npy")
        part.rename(target)
    return made
