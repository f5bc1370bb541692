"""Whose sound it is: features of sounds that nobody speaks become those of silence, so that lips rest.

A small network on the speech features tells for each code frame how likely somebody speaks. A decision in between would
flutter, so a voice counts from well before it is certain until well after, and the pauses of a speaker are its own.
What a speech detector nowhere takes for speech is none.

Shape letters: B batch, N code frames, H features.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor, nn

from ..bundle import SECTION_FILES, Bundle
from ..network_building import MISFITS, check_sizes
from ..shared.errors import EngineError
from ..shared.units import CODE_RATE, SAMPLE_RATE
from .prosody import with_prosody
from .speech import SpeechEncoder, load_speech_encoder
from .speech_detector import CHUNK, SpeechDetector, load_speech_detector

SECTION = "voice_activity"
_SILENCE_SECONDS = 2.0
ENCODER_SHARE, DETECTOR_SHARE = 0.8, 0.08  # of the time that listening takes


@dataclass(frozen=True)
class VoiceActivityConfig:
    """features: H. width: channels inside. kernel, dilation: of the two convolutions over code frames.

    start, go_on: mean likelihoods of a voice within `smooth` frames at which one begins, and down to which it goes on.
    hold: frames before and after it that count too. fade: frames over which it fades in and out, outside of these.
    agreed: likelihood that the bundle's speech detector, if it has one, must reach somewhere in a voice.
    encoder: digest of the speech encoder that it was trained for; with another one it would hear nonsense.
    """

    features: int = 256
    width: int = 24
    kernel: int = 9
    dilation: int = 3
    smooth: int = 9
    start: float = 0.5
    go_on: float = 0.25
    hold: int = 8
    fade: int = 5
    agreed: float = 0.4
    encoder: str = ""


class VoiceActivity(nn.Module):
    """Likelihood of a voice from the speech features around a code frame."""

    def __init__(self, config: VoiceActivityConfig) -> None:
        super().__init__()
        check_sizes(vars(config))
        if config.kernel % 2 == 0:
            raise ValueError("the kernel of the voice activity has no middle")
        self.config = config
        reach = (config.kernel - 1) // 2
        self.norm = nn.LayerNorm(config.features)
        self.narrow = nn.Linear(config.features, config.width)
        self.near = nn.Conv1d(config.width, config.width, config.kernel, padding=reach)
        self.far = nn.Conv1d(
            config.width, config.width, config.kernel, padding=reach * config.dilation, dilation=config.dilation
        )
        self.out = nn.Linear(config.width, 1)
        self.activation = nn.GELU()

    def forward(self, features: Tensor) -> Tensor:
        """Log odds (B, N) of a voice, for speech features (B, N, H)."""
        hidden = self.activation(self.narrow(self.norm(features))).transpose(1, 2)  # (B, width, N)
        hidden = hidden + self.activation(self.near(hidden))
        hidden = hidden + self.activation(self.far(hidden))
        return self.out(hidden.transpose(1, 2))[..., 0]

    @torch.inference_mode()
    def gate(self, features: Tensor, detected: np.ndarray | None = None) -> Tensor:
        """How much of each frame is a voice's, (N,) from 0 to 1, for speech features (N, H); see `gate_of`."""
        likelihood = torch.sigmoid(self(features[None])[0]).cpu().numpy()
        return torch.from_numpy(gate_of(likelihood, self.config, detected)).to(features)


def gate_of(likelihood: np.ndarray, config: VoiceActivityConfig, detected: np.ndarray | None = None) -> np.ndarray:
    """The gate (N,) float32 of a likelihood of a voice (N,), by the rules in a config.

    detected: likelihoods (N,) of the speech detector, None without one.
    """
    mean = ndimage.uniform_filter1d(likelihood.astype(np.float64), config.smooth, mode="nearest")
    stretches, _ = ndimage.label(mean > config.go_on)
    certain = np.unique(stretches[mean > config.start])
    if detected is not None:
        near = ndimage.maximum_filter1d(detected, 2 * config.hold + 1)
        certain = np.intersect1d(certain, stretches[near >= config.agreed])
    voiced = np.isin(stretches, certain[certain > 0])
    # The fade is a moving mean, which reaches half its width inwards.
    held = ndimage.maximum_filter1d(voiced.astype(np.float32), 2 * (config.hold + config.fade // 2) + 1)
    return ndimage.uniform_filter1d(held, max(config.fade, 1), mode="nearest").clip(0.0, 1.0)


class Listener:
    """Speech features of voices alone: those of other sounds are features of silence.

    encoder: of the speech. activity: None takes every sound for a voice. detector: has a say in what is one.
    """

    def __init__(
        self, encoder: SpeechEncoder, activity: VoiceActivity | None, detector: SpeechDetector | None = None
    ) -> None:
        self.encoder, self.activity, self.detector = encoder, activity, detector

    @cached_property
    def _silence(self) -> Tensor:
        """Features (H,) in the middle of silence."""
        features = self.encoder.features(np.zeros(int(_SILENCE_SECONDS * SAMPLE_RATE), np.float32))
        return features[len(features) // 2]

    def features(
        self, samples: np.ndarray, prosody: bool = False, progress: Callable[[float], None] | None = None
    ) -> Tensor:
        """What is heard of one mono clip of 16 kHz samples (S,): speech features, and on request prosody beside them.

        progress: see `SpeechEncoder.features`, which also says what is raised; called between the steps after it, too.
        Shape (N, H), or (N, H + 6).
        """
        report = progress or (lambda share: None)
        features = self.encoder.features(samples, progress=lambda share: report(ENCODER_SHARE * share))
        report(ENCODER_SHARE)
        if self.activity is not None:
            heard = partial(_between, report, ENCODER_SHARE, ENCODER_SHARE + DETECTOR_SHARE)
            gate = self.activity.gate(features, self._detected(samples, len(features), heard))
            if bool((gate < 1).any()):
                features = self._silence + gate[:, None] * (features - self._silence)
                samples = samples * _per_sample(gate.cpu().numpy(), len(samples))
        report((1 + ENCODER_SHARE + DETECTOR_SHARE) / 2)
        if prosody:
            features = with_prosody(features, samples)
        report(1.0)
        return features

    def _detected(self, samples: np.ndarray, count: int, progress: Callable[[float], None]) -> np.ndarray | None:
        """Likelihoods (count,) of speech in code frames: those of the 32 ms in which each one begins."""
        if self.detector is None:
            return None
        likelihoods = self.detector.likelihoods(samples, progress)
        chunks = (np.arange(count) * (SAMPLE_RATE / CODE_RATE / CHUNK)).astype(int)
        return likelihoods[chunks.clip(max=len(likelihoods) - 1)]


def _between(report: Callable[[float], None], first: float, last: float, share: float) -> None:
    report(first + (last - first) * share)


def _per_sample(gate: np.ndarray, count: int) -> np.ndarray:
    """A gate (N,) at the code rate for `count` samples."""
    times = np.arange(count, dtype=np.float32) * (CODE_RATE / SAMPLE_RATE)
    return np.interp(times, np.arange(len(gate)), gate).astype(np.float32)


def load_listener(bundle: Bundle, device: str | torch.device = "cpu") -> Listener:
    """The speech encoder of a bundle, its voice activity and its speech detector, if it has them, ready to use.

    Raises EngineError when their parts are missing or do not fit.
    """
    encoder, activity = load_speech_encoder(bundle, device), load_voice_activity(bundle, device)
    if activity is not None and activity.config.features != encoder.config.hidden_size:
        raise EngineError(f"The voice activity of {bundle.name} was made for another speech encoder; train it again.")
    return Listener(encoder, activity, None if activity is None else load_speech_detector(bundle))


def encoder_digest(bundle: Bundle) -> str:
    """What tells a bundle's speech encoder from others. Raises EngineError when the bundle has none."""
    try:
        return hashlib.sha256((bundle.folder / SECTION_FILES["speech"]).read_bytes()).hexdigest()[:16]
    except OSError as error:
        raise EngineError(f"The bundle {bundle.name} has no speech encoder; install the bundle again.") from error


def load_voice_activity(bundle: Bundle, device: str | torch.device = "cpu") -> VoiceActivity | None:
    """The voice activity of a bundle, ready to use; None when it has none for its speech encoder.

    Raises EngineError when its file is missing or does not fit.
    """
    if SECTION not in bundle.config:
        return None
    try:
        config = VoiceActivityConfig(**bundle.section(SECTION))
        if config.encoder != encoder_digest(bundle):
            return None
        network = bundle.network(SECTION, lambda: VoiceActivity(config))
    except MISFITS as error:
        message = f"The bundle {bundle.name} describes no voice activity in {SECTION_FILES[SECTION]}; install it again."
        raise EngineError(message) from error
    return network.to(device).eval()
