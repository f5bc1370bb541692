"""What Whisper hears in the training data: features that the small speech encoder learns to predict.

    python -m training.teacher --model WHISPER --cache CACHE

Whisper (Radford et al., Robust Speech Recognition via Large-Scale Weak Supervision, 2022; MIT) learned from 680,000
hours of sound. Its features of clean clips are written beside the cache's samples and read by `training.speech`; they
are needed in training only, and nothing of Whisper becomes a part of the bundle.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor, nn
from transformers import WhisperConfig, WhisperFeatureExtractor
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.units import SAMPLE_RATE
from training.data.corpus import Clip, load_corpus
from training.run.options import exit_status

# Voices that a person made, or nearly, and sounds without one; formant voices teach nothing that phones do not.
CORPORA = ("so762", "festvox-ru", "kokoro", "grid", "facegood", "instruments")
LAYERS = 4  # whose features tell phones best; those above turn to words
DIMENSIONS = 128  # principal components kept of Whisper's width
LARGEST = 5.0  # deviations
RATE = 25  # features a second: the means of two of Whisper's
STEP = SAMPLE_RATE // RATE
CHUNK_SECONDS, GAP_SECONDS = 30, 0.5
STATISTICS_EVERY = 8  # chunks: every eighth tells the principal components
# CTranslate2's numbers of types.
_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_LARGEST_VARIABLES = 5000
_LAYER_PARTS = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}


class Teacher:
    """Teacher's features of the clips of a cache, float16 (T, DIMENSIONS) at RATE a second, each of unit variance."""

    def __init__(self, folder: Path) -> None:
        try:
            self._places: dict[str, list[int]] = json.loads((folder / "teacher.json").read_text("utf-8"))
            self._features = np.load(folder / "teacher.npy", mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise EngineError(f"{folder} has no features of a teacher; make them by training.teacher.") from error

    def features(self, clip: Clip) -> np.ndarray | None:
        """Of one clip; None when the teacher did not hear it."""
        if clip.key not in self._places:
            return None
        start, count = self._places[clip.key]
        return self._features[start : start + count]


def read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a CTranslate2 model.bin by name. Raises EngineError when the file is none."""
    try:
        with path.open("rb") as file:
            version = _number(file, "I")
            name = _text(file)
            _number(file, "I")  # revision of the kind of model
            count = _number(file, "I")
            if version < 4 or name != "WhisperSpec" or count > _LARGEST_VARIABLES:
                raise ValueError(name)
            return dict(_variable(file) for _ in range(count))
    except (OSError, ValueError, KeyError, struct.error) as error:
        raise EngineError(f"{path} is not a Whisper model of CTranslate2; name the folder of one.") from error


def _number(file: BinaryIO, kind: str) -> int:
    size = struct.calcsize("<" + kind)
    number: int = struct.unpack("<" + kind, file.read(size))[0]
    return number


def _text(file: BinaryIO) -> str:
    return file.read(_number(file, "H"))[:-1].decode("ascii")


def _variable(file: BinaryIO) -> tuple[str, np.ndarray]:
    name = _text(file)
    shape = [_number(file, "I") for _ in range(_number(file, "B"))]
    kind = np.dtype(_TYPES[_number(file, "B")])
    content = file.read(_number(file, "I"))
    return name, np.frombuffer(content, kind).reshape(shape)


def load_teacher(folder: Path) -> WhisperEncoder:
    """The first LAYERS layers of a Whisper encoder, from a folder with CTranslate2's model.bin.

    Raises EngineError when the folder has none, or one that is no Whisper.
    """
    arrays = {
        name.removeprefix("encoder/"): array
        for name, array in read_ctranslate2(folder / "model.bin").items()
        if name.startswith("encoder/")
    }
    try:
        width, mels, _ = arrays["conv1/weight"].shape
        config = WhisperConfig(
            d_model=width,
            num_mel_bins=mels,
            encoder_layers=LAYERS,
            encoder_attention_heads=width // 64,
            encoder_ffn_dim=4 * width,
        )
        encoder = WhisperEncoder(config)
        encoder.load_state_dict(_whisper_state(arrays))
    except (KeyError, RuntimeError, ValueError) as error:
        raise EngineError(f"{folder} has another kind of Whisper than is understood; use base or tiny.") from error
    encoder.layer_norm = nn.Identity()  # type: ignore[assignment]  # it was trained for the last layer
    return encoder.eval()


def _whisper_state(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """CTranslate2's arrays under the names of transformers."""
    state = {"embed_positions.weight": arrays["position_encodings/encodings"]}
    for conv in ("conv1", "conv2"):
        state |= {f"{conv}.{part}": arrays[f"{conv}/{part}"] for part in ("weight", "bias")}
    state |= _normalisation("layer_norm", arrays, "layer_norm")
    for index in range(LAYERS):
        ours, theirs = f"layers.{index}", f"layer_{index}"
        for part, name in _LAYER_PARTS.items():
            source = f"{theirs}/{part}"
            if part.endswith("layer_norm"):
                state |= _normalisation(source, arrays, f"{ours}.{name}")
            else:
                state |= {f"{ours}.{name}.{kind}": arrays[f"{source}/{kind}"] for kind in ("weight", "bias")}
        fused = f"{theirs}/self_attention/linear_0"
        weights, biases = np.split(arrays[f"{fused}/weight"], 3), np.split(arrays[f"{fused}/bias"], 3)
        for name, weight, bias in zip(("q_proj", "k_proj", "v_proj"), weights, biases, strict=True):
            state[f"{ours}.self_attn.{name}.weight"] = weight
            if name != "k_proj":
                state[f"{ours}.self_attn.{name}.bias"] = bias
    return {name: torch.tensor(array).float() for name, array in state.items()}


def _normalisation(source: str, arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {f"{name}.weight": arrays[f"{source}/gamma"], f"{name}.bias": arrays[f"{source}/beta"]}


def chunks(lengths: list[int], size: int, gap: int) -> Iterator[list[tuple[int, int, int, int]]]:
    """Share clips of some lengths (samples) out to chunks of `size`: rows (clip, its first sample, place, count).

    A clip that is longer than a chunk is divided.
    """
    rows: list[tuple[int, int, int, int]] = []
    place = 0
    for index, length in enumerate(lengths):
        for first in range(0, length, size):
            count = min(size, length - first)
            if place + count > size:
                yield rows
                rows, place = [], 0
            rows.append((index, first, place, count))
            place += -(-(count + gap) // STEP) * STEP  # where a feature begins
    if rows:
        yield rows


@torch.inference_mode()
def hear(encoder: WhisperEncoder, audio: np.ndarray) -> Tensor:
    """Features (T, width) at RATE a second of at most CHUNK_SECONDS of 16 kHz samples (S,)."""
    extractor = WhisperFeatureExtractor(feature_size=encoder.config.num_mel_bins)
    mel = extractor(audio, sampling_rate=SAMPLE_RATE, return_tensors="pt").input_features  # (1, mels, 3000)
    with torch.autocast("cpu", torch.bfloat16):
        features = encoder(mel).last_hidden_state[0].float()  # (1500, width)
    return features.unflatten(0, (-1, 2)).mean(dim=1)


def write_features(cache: Path, encoder: WhisperEncoder) -> None:
    """Write the features of the cache's clips of CORPORA as CACHE/teacher.npy and teacher.json."""
    corpus = load_corpus(Path(), cache)
    clips = [clip for clip in corpus.clips if clip.corpus in CORPORA]
    size, gap = CHUNK_SECONDS * SAMPLE_RATE, int(GAP_SECONDS * SAMPLE_RATE)
    plan = list(chunks([clip.samples for clip in clips], size, gap))

    def heard(rows: list[tuple[int, int, int, int]]) -> Tensor:
        audio = np.zeros(size, np.float32)
        for index, first, place, count in rows:
            samples = corpus.audio(clips[index])[first : first + count]
            audio[place : place + count] = 0.05 * samples / (samples.std() + 1e-5)
        return hear(encoder, audio)

    mean, basis = principal_components(torch.cat([heard(rows) for rows in plan[::STATISTICS_EVERY]]))
    places, parts, total = {}, [], 0
    pieces: dict[int, list[np.ndarray]] = {}
    for number, rows in enumerate(plan):
        reduced = ((heard(rows) - mean) @ basis).half().numpy()
        for index, _, place, count in rows:
            begin = place // STEP
            pieces.setdefault(index, []).append(reduced[begin : begin + count // STEP])
        if number % 50 == 0:
            print(f"{number} of {len(plan)} chunks", flush=True)
    for index, found in pieces.items():
        parts.append(np.concatenate(found))
        places[clips[index].key] = [total, len(parts[-1])]
        total += len(parts[-1])
    with replaced(cache / "teacher.npy") as part, part.open("wb") as file:
        np.save(file, standardised(np.concatenate(parts)))
    with replaced(cache / "teacher.json") as part:
        part.write_text(json.dumps(places), "utf-8")


def principal_components(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (W,) and basis (W, DIMENSIONS) of features (T, W); all projections together have a mean square of 1."""
    mean = features.mean(dim=0)
    _, values, vectors = torch.linalg.svd(features - mean, full_matrices=False)
    kept = vectors[:DIMENSIONS].T
    scale = (values[:DIMENSIONS].square().sum() / (len(features) * kept.shape[1])).sqrt()
    return mean, kept / scale


def standardised(features: np.ndarray) -> np.ndarray:
    """Features (T, D) with mean 0 and deviation 1 each, within LARGEST; else a few of Whisper's outweigh the rest."""
    mean, deviation = features.mean(axis=0, dtype=np.float32), features.std(axis=0, dtype=np.float32)
    return np.clip((features - mean) / np.maximum(deviation, 1e-6), -LARGEST, LARGEST).astype(np.float16)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.teacher", description="Whisper's features of the speech data.")
    parser.add_argument("--model", type=Path, required=True, help="folder of a Whisper model of CTranslate2")
    parser.add_argument("--cache", type=Path, required=True, help="what training.data has written")
    options = parser.parse_args(arguments)
    return exit_status(lambda: write_features(options.cache, load_teacher(options.model)))


if __name__ == "__main__":
    sys.exit(main())
