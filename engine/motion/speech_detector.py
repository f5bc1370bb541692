"""How likely somebody speaks, moment by moment: Silero VAD 6 (Silero Team, MIT), as a network of this engine.

It was trained on far more sounds than the voice activity of a bundle, and hears otherwise: where both agree, there is a
voice.

Shape letters: C chunks of 32 ms, S samples.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from ..bundle import SECTION_FILES, Bundle
from ..shared.errors import EngineError

SECTION = "speech_detector"
CHUNK, CONTEXT = 512, 64  # samples at 16 kHz that are judged, and those before them that are heard too
WINDOW, HOP = 256, 128  # of the spectra, samples
BLOCK = 1024  # chunks that are heard at once
CHANNELS = (WINDOW // 2 + 1, 128, 64, 64, 128)
STRIDES = (1, 2, 2, 1)


class SpeechDetector(nn.Module):
    """Four convolutions on the spectra of a chunk and a memory of those before it."""

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList(
            nn.Conv1d(CHANNELS[i], CHANNELS[i + 1], 3, stride, padding=1) for i, stride in enumerate(STRIDES)
        )
        self.memory = nn.LSTM(CHANNELS[-1], CHANNELS[-1], batch_first=True)
        self.out = nn.Linear(CHANNELS[-1], 1)

    def forward(
        self, chunks: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Likelihoods (C,) of speech in chunks (C, CONTEXT + CHUNK) in a row, and the state after them."""
        padded = nn.functional.pad(chunks, (0, CONTEXT), mode="reflect")
        window = torch.hann_window(WINDOW, device=chunks.device)
        hidden = torch.fft.rfft(padded.unfold(1, WINDOW, HOP) * window).abs().transpose(1, 2)  # (C, 129, 4)
        for convolution in self.convolutions:
            hidden = torch.relu(convolution(hidden))  # (C, 128, 1) in the end
        remembered, state = self.memory(hidden[None, ..., 0], state)  # (1, C, 128)
        return torch.sigmoid(self.out(torch.relu(remembered[0])))[:, 0], state

    @torch.inference_mode()
    def likelihoods(self, samples: np.ndarray, progress: Callable[[float], None] = lambda share: None) -> np.ndarray:
        """Likelihoods (C,) of speech in 16 kHz samples (S,), one for each 512 of them, the last ones filled up.

        progress: called with the share that is done, 0 to 1.
        """
        count = -(-len(samples) // CHUNK)
        whole = np.zeros(CONTEXT + max(count, 1) * CHUNK, np.float32)
        whole[CONTEXT : CONTEXT + len(samples)] = samples
        chunks = torch.from_numpy(whole).unfold(0, CONTEXT + CHUNK, CHUNK)
        found, state = [], None
        for first in range(0, count, BLOCK):
            likelihood, state = self(chunks[first : first + BLOCK], state)
            found.append(likelihood.numpy())
            progress(min(first + BLOCK, count) / count)
        return np.concatenate([np.zeros(0, np.float32), *found])


def load_speech_detector(bundle: Bundle) -> SpeechDetector | None:
    """The speech detector of a bundle, on the CPU, ready to use; None when it has none.

    Raises EngineError when its file is missing or does not fit.
    """
    if SECTION not in bundle.config:
        return None
    if not isinstance(bundle.config[SECTION], dict):
        raise EngineError(f"The bundle {bundle.name} describes no {SECTION_FILES[SECTION]}; install it again.")
    return bundle.network(SECTION, SpeechDetector).eval()
