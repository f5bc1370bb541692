"""LSE-D and LSE-C: how far and how surely SyncNet places the mouth on the voice.

SyncNet (Chung and Zisserman 2016) in the sizes of its public weights; scores as Wav2Lip's authors compute them: five
pictures at 25 Hz against 0.2 s of sound, 31 offsets, mean distances over the clip. The least is LSE-D, the median less
the least LSE-C. Renders are no photographs, so scores compare methods that were rendered alike and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.shared.errors import EngineError
from engine.shared.units import SAMPLE_RATE
from evaluation.tables.weight_files import load_weights

FILE = "syncnet_v2.model"
WHERE = (
    f"LSE-D and LSE-C need SyncNet's weights: get {FILE} from https://github.com/joonson/syncnet_python "
    "(its download_model.sh names the address) and give it with --syncnet."
)
PICTURE_RATE = 25.0
PIXELS = 224
WINDOW, SOUND_STEPS = 5, 20  # pictures, and steps of 10 ms, of one embedding
LARGEST_OFFSET = 15  # pictures
COEFFICIENTS = 13
BATCH = 16


class SyncNet(nn.Module):
    """Embeddings (B, E) of pictures and of sound. divisor: of all widths, 1 for the published weights."""

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        widths = [max(width // divisor, 1) for width in (64, 192, 384, 256, 256, 512)]
        self.netcnnaud = nn.Sequential(
            *_layer2d(1, widths[0], 3, 1), nn.MaxPool2d(1, 1),
            *_layer2d(widths[0], widths[1], 3, 1), nn.MaxPool2d(3, (1, 2)),
            *_layer2d(widths[1], widths[2], 3, 1),
            *_layer2d(widths[2], widths[3], 3, 1),
            *_layer2d(widths[3], widths[4], 3, 1), nn.MaxPool2d(3, 2),
            *_layer2d(widths[4], widths[5], (5, 4), 0),
        )  # fmt: skip
        first, middle, last = (max(width // divisor, 1) for width in (96, 256, 512))
        self.netcnnlip = nn.Sequential(
            *_layer3d(3, first, (5, 7, 7), (1, 2, 2), 0), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3d(first, middle, (1, 5, 5), (1, 2, 2), (0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_layer3d(middle, middle, (1, 3, 3), 1, (0, 1, 1)),
            *_layer3d(middle, middle, (1, 3, 3), 1, (0, 1, 1)),
            *_layer3d(middle, middle, (1, 3, 3), 1, (0, 1, 1)), nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_layer3d(middle, last, (1, 6, 6), 1, 0),
        )  # fmt: skip
        self.netfcaud, self.netfclip = (_head(last, max(1024 // divisor, 1)) for _ in range(2))

    def of_pictures(self, windows: Tensor) -> Tensor:
        """Windows (B, 3, 5, 224, 224), 0..255 in the order blue, green, red -> (B, E)."""
        return self.netfclip(self.netcnnlip(windows).flatten(1))

    def of_sound(self, windows: Tensor) -> Tensor:
        """Windows (B, 1, 13, 20) of cepstral coefficients -> (B, E)."""
        return self.netfcaud(self.netcnnaud(windows).flatten(1))


@dataclass(frozen=True)
class LipSync:
    """distance: LSE-D; confidence: LSE-C; offset: pictures by which the sound has to be moved for it."""

    distance: float
    confidence: float
    offset: int


def load_syncnet(path: Path) -> SyncNet:
    """SyncNet with the user's weights. Raises EngineError for a file that is not its."""
    return load_weights(path, SyncNet(), FILE)


@torch.no_grad()
def lip_sync(network: SyncNet, pictures: np.ndarray, samples: np.ndarray) -> LipSync:
    """Scores of gray pictures (N, 224, 224) in 0..1 at 25 Hz and samples (S,) in -1..1 at 16 kHz.

    Raises EngineError for a clip of less than ten pictures.
    """
    sound = sound_features(samples)  # (13, T)
    # As published: the last five pictures have no whole window.
    windows = min(len(pictures), int(len(samples) / SAMPLE_RATE * PICTURE_RATE)) - WINDOW
    windows = min(windows, (sound.shape[1] - SOUND_STEPS) // 4 + 1)
    if windows < WINDOW:
        raise EngineError("A clip is too short for lip synchronisation; give clips of at least half a second.")
    tensor = torch.from_numpy(np.ascontiguousarray(255 * pictures, np.float32))
    seen = [network.of_pictures(_picture_windows(tensor, part)) for part in _batches(windows)]
    heard = [
        network.of_sound(torch.stack([sound[None, :, 4 * place : 4 * place + SOUND_STEPS] for place in part]))
        for part in _batches(windows)
    ]
    return scores(torch.cat(seen), torch.cat(heard))


def scores(seen: Tensor, heard: Tensor) -> LipSync:
    """Scores of embeddings (N, E) of pictures and of sound; beyond the ends of the sound there are zeros."""
    padded = functional.pad(heard, (0, 0, LARGEST_OFFSET, LARGEST_OFFSET))
    shifts = range(2 * LARGEST_OFFSET + 1)
    distances = torch.stack(
        [functional.pairwise_distance(seen, padded[shift : shift + len(seen)]).mean() for shift in shifts]
    )
    least, place = distances.min(dim=0)
    return LipSync(float(least), float(distances.median() - least), LARGEST_OFFSET - int(place))


def sound_features(samples: np.ndarray) -> Tensor:
    """Cepstral coefficients (13, T), a step every 10 ms, of samples (S,) in -1..1 at 16 kHz.

    Raises EngineError when their package is not installed.
    """
    try:
        from python_speech_features import mfcc
    except ImportError as error:
        raise EngineError(
            "The sound features of SyncNet need python_speech_features; run pip install -r requirements-research.txt."
        ) from error
    # The published weights were trained on 16-bit numbers as they are.
    whole = np.round(32767 * np.clip(samples, -1, 1)).astype(np.int16)
    return torch.from_numpy(mfcc(whole, SAMPLE_RATE, numcep=COEFFICIENTS).T.astype(np.float32))


def _batches(count: int) -> Iterator[range]:
    return (range(start, min(start + BATCH, count)) for start in range(0, count, BATCH))


def _picture_windows(pictures: Tensor, places: range) -> Tensor:
    windows = torch.stack([pictures[place : place + WINDOW] for place in places])  # (B, 5, H, W)
    return windows[:, None].expand(-1, 3, -1, -1, -1)  # gray: the three colours are alike


def _layer2d(inputs: int, outputs: int, kernel, padding) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), nn.ReLU()]


def _layer3d(inputs: int, outputs: int, kernel, stride, padding) -> list[nn.Module]:
    return [nn.Conv3d(inputs, outputs, kernel, stride, padding), nn.BatchNorm3d(outputs), nn.ReLU()]


def _head(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, inputs), nn.BatchNorm1d(inputs), nn.ReLU(), nn.Linear(inputs, outputs))
