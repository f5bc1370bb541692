"""Speech features at the code rate: wav2vec 2.0 with the frequency interpolation of FaceTalk, section 4.

Stock transformers modules in the order of FaceFormer: convolutional extractor, linear resize in time with both ends
aligned, feature projection, transformer. Clips up to 30 s go through in one piece; longer ones give the same
convolutional features in bounded memory, and their transformer runs in windows that fade into each other.

Shape letters: B batch, S samples at 16 kHz, T convolutional frames (about 50 Hz), C their channels, N code frames,
H hidden size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import Wav2Vec2Config, Wav2Vec2Model

from ..bundle import Bundle
from ..network_building import MISFITS
from ..shared.errors import EngineError
from ..shared.units import CODE_RATE, SAMPLE_RATE
from .audio import frame_count

# Code frames of one transformer window, of its untrusted margin, and of the fade between two windows.
WINDOW_FRAMES = 720
MARGIN_FRAMES = 48
FADE_FRAMES = 48
# Convolutional frames computed at a time for long audio: about 10 s.
CHUNK_FRAMES = 500
CONVOLUTION_SHARE = 0.7  # of the time that features take


# What a value may be, by the type of its default: JSON has no tuples, and writes some fractions without a point.
_TYPES: dict[type, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    tuple: (tuple, list),
}


@dataclass(frozen=True)
class SpeechConfig:
    """Sizes of the speech encoder, named as in transformers' Wav2Vec2Config; the defaults are wav2vec2-base.

    waveform_padding: samples of silence before and after the waveform. wav2vec 2.0 has none, so that the first code
    frame sees what comes half a receptive field later and the last one what lies before it.

    Raises EngineError for values that make no network.
    """

    conv_dim: tuple[int, ...] = (512,) * 7
    conv_kernel: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: str = "group"
    feat_extract_activation: str = "gelu"
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    hidden_act: str = "gelu"
    do_stable_layer_norm: bool = False
    num_conv_pos_embeddings: int = 128
    num_conv_pos_embedding_groups: int = 16
    layer_norm_eps: float = 1e-5
    hidden_dropout: float = 0.1
    attention_dropout: float = 0.1
    activation_dropout: float = 0.0
    feat_proj_dropout: float = 0.0
    layerdrop: float = 0.0
    waveform_padding: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        for field in fields(self):
            value, kind = getattr(self, field.name), type(field.default)
            if not isinstance(value, _TYPES[kind]) or isinstance(value, bool) != (kind is bool):
                raise EngineError(f"The speech model's {field.name} is {str(value)[:40]}; choose another bundle.")
        for name in ("conv_dim", "conv_kernel", "conv_stride"):
            values = tuple(getattr(self, name))
            object.__setattr__(self, name, values)
            if not all(_is_size(value, 4096) for value in values) or not 1 <= len(values) <= 16:
                raise EngineError(f"The speech model's {name} is {values}; choose another bundle.")
        padding = tuple(self.waveform_padding)
        object.__setattr__(self, "waveform_padding", padding)
        if len(padding) != 2 or not all(isinstance(value, int) and 0 <= value <= SAMPLE_RATE for value in padding):
            raise EngineError(f"The speech model's waveform_padding is {padding}; choose another bundle.")
        if not len(self.conv_dim) == len(self.conv_kernel) == len(self.conv_stride):
            raise EngineError("The speech model's convolutional layers do not match; choose another bundle.")
        largest = {"hidden_size": 8192, "num_hidden_layers": 64, "num_attention_heads": 64}
        largest |= {"intermediate_size": 32768, "num_conv_pos_embeddings": 512, "num_conv_pos_embedding_groups": 512}
        for name, limit in largest.items():
            if not _is_size(getattr(self, name), limit):
                raise EngineError(f"The speech model's {name} is {getattr(self, name)!r}; choose another bundle.")
        if self.hidden_size % self.num_attention_heads or self.hidden_size % self.num_conv_pos_embedding_groups:
            raise EngineError("The speech model's hidden_size does not divide by its heads and groups; choose another.")
        if self.feat_extract_norm not in ("group", "layer"):
            raise EngineError(f"The speech model's norm {self.feat_extract_norm!r} is unknown; use group or layer.")
        if not {self.hidden_act, self.feat_extract_activation} <= {"gelu", "relu", "silu"}:
            raise EngineError("The speech model's activation is unknown; use gelu, relu or silu.")

    @classmethod
    def from_hugging_face(cls, config: dict) -> SpeechConfig:
        """The fields that matter here from a Hugging Face `config.json`; missing ones are wav2vec2-base's."""
        return cls(**{field.name: config[field.name] for field in fields(cls) if field.name in config})


def _ignore(share: float) -> None:
    """Progress that nobody asked for."""


def _is_size(value: object, largest: int) -> bool:
    return isinstance(value, int) and 1 <= value <= largest


def normalise(samples: Tensor) -> Tensor:
    """Zero mean and unit variance over time (..., S), as wav2vec 2.0 was trained; silence stays silent."""
    centred = samples - samples.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + 1e-7).sqrt()


class SpeechEncoder(nn.Module):
    """wav2vec 2.0 whose features are aligned with the code frames (Eq. 5)."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.config = config
        sizes = asdict(config)
        del sizes["waveform_padding"]
        # mask_time_prob 0: SpecAugment would hide parts of the speech while training.
        self.wav2vec2 = Wav2Vec2Model(Wav2Vec2Config(**sizes, mask_time_prob=0.0, apply_spec_augment=False))

    def forward(self, waveforms: Tensor, frames: int) -> Tensor:
        """Features (B, N, H) of normalised 16 kHz waveforms (B, S), for N = `frames` code frames. Differentiable."""
        return self.encode(self.convolve(waveforms, frames))

    def convolve(self, waveforms: Tensor, frames: int) -> Tensor:
        """Convolutional features (B, N, C) of normalised waveforms (B, S), aligned with N = `frames` code frames."""
        return self.align(self.wav2vec2.feature_extractor(self._padded(waveforms)), frames)

    def _padded(self, waveforms: Tensor) -> Tensor:
        return functional.pad(waveforms, self.config.waveform_padding)

    @staticmethod
    def align(conv_features: Tensor, frames: int) -> Tensor:
        """Frequency interpolation: (B, C, T) to (B, N, C), linear in time, first and last frames coincide."""
        return functional.interpolate(conv_features, size=frames, mode="linear", align_corners=True).transpose(1, 2)

    def encode(self, aligned: Tensor) -> Tensor:
        """Feature projection and transformer: (B, N, C) to (B, N, H)."""
        projected, _ = self.wav2vec2.feature_projection(aligned)  # (B, N, H)
        return self.wav2vec2.encoder(projected).last_hidden_state

    @torch.inference_mode()
    def features(
        self, samples: np.ndarray | Tensor, rate: float = CODE_RATE, progress: Callable[[float], None] | None = None
    ) -> Tensor:
        """Speech features (N, H) of one mono clip of 16 kHz samples (S,), N = round(rate * seconds).

        Memory is bounded by the window, not by the clip, but for the result and the convolutional features.
        progress: called with the fraction done, 0..1, after every ten seconds or so of a long clip; what it raises
            ends the work.
        Raises EngineError when the clip is shorter than one code frame.
        """
        device = self.wav2vec2.feature_projection.projection.weight.device
        waveform = normalise(torch.as_tensor(samples, dtype=torch.float32, device=device))[None]  # (1, S)
        frames, padded = frame_count(waveform.shape[1], rate), self._padded(waveform)
        if frames < 1 or padded.shape[1] < self._receptive_field:
            raise EngineError("The audio is shorter than one frame of motion; choose a longer strip.")
        if frames <= WINDOW_FRAMES:
            return self(waveform, frames)[0]
        report = progress or _ignore
        convolved = self._conv_features_in_chunks(padded, lambda share: report(CONVOLUTION_SHARE * share))
        return self._encode_in_windows(
            self.align(convolved, frames), lambda share: report(CONVOLUTION_SHARE + (1 - CONVOLUTION_SHARE) * share)
        )[0]

    @property
    def _total_stride(self) -> int:
        return int(np.prod(self.config.conv_stride))

    @property
    def _receptive_field(self) -> int:
        """Samples that one convolutional frame sees: 400 for wav2vec 2.0."""
        reach, stride = 1, 1
        for kernel, step in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            reach += (kernel - 1) * stride
            stride *= step
        return reach

    def _conv_features_in_chunks(self, waveform: Tensor, progress: Callable[[float], None] = _ignore) -> Tensor:
        """Convolutional features (1, C, T) of a long waveform (1, S), equal to those of the extractor at once."""
        first, *others = self.wav2vec2.feature_extractor.conv_layers
        norm = self._whole_clip_norm(waveform) if self.config.feat_extract_norm == "group" else None
        features = []
        for chunk in self._chunks(waveform):
            hidden = first(chunk) if norm is None else first.activation(norm(first.conv(chunk)))
            for layer in others:
                hidden = layer(hidden)
            features.append(hidden)
            progress(min(len(features) * CHUNK_FRAMES * self._total_stride / waveform.shape[1], 1.0))
        return torch.cat(features, dim=-1)

    def _chunks(self, waveform: Tensor) -> Iterator[Tensor]:
        """Pieces (1, 1, s) of the waveform whose convolutional frames follow each other without gap or overlap."""
        stride, reach = self._total_stride, self._receptive_field
        count = (waveform.shape[1] - reach) // stride + 1
        for start in range(0, count, CHUNK_FRAMES):
            last = min(start + CHUNK_FRAMES, count) - 1
            yield waveform[:, None, start * stride : last * stride + reach]

    def _whole_clip_norm(self, waveform: Tensor) -> _FixedNorm:
        """The first layer's group norm with its statistics taken over the whole clip, a chunk at a time."""
        layer = self.wav2vec2.feature_extractor.conv_layers[0]
        kernel, step = self.config.conv_kernel[0], self.config.conv_stride[0]
        count = (waveform.shape[1] - kernel) // step + 1
        block = CHUNK_FRAMES * self._total_stride // step
        total = torch.zeros(self.config.conv_dim[0], dtype=torch.float64)
        square = torch.zeros_like(total)
        for start in range(0, count, block):
            last = min(start + block, count) - 1
            hidden = layer.conv(waveform[:, None, start * step : last * step + kernel])[0]  # (C, t)
            mean = hidden.double().mean(dim=1).cpu()
            total += mean * hidden.shape[1]
            square += (hidden.var(dim=1, correction=0).double().cpu() + mean.square()) * hidden.shape[1]
        mean = total / count
        variance = (square / count - mean.square()).clamp_min(0.0)
        return _FixedNorm(layer.layer_norm, mean.float(), variance.float())

    def _encode_in_windows(self, aligned: Tensor, progress: Callable[[float], None] = _ignore) -> Tensor:
        """Transformer features (1, N, H) of aligned features (1, N, C) with N over one window."""
        frames = aligned.shape[1]
        features = aligned.new_zeros(1, frames, self.config.hidden_size)
        total = aligned.new_zeros(frames, 1)
        hop = WINDOW_FRAMES - 2 * MARGIN_FRAMES - FADE_FRAMES
        starts = [*range(0, frames - WINDOW_FRAMES, hop), frames - WINDOW_FRAMES]
        place = torch.arange(WINDOW_FRAMES, device=aligned.device)
        for start in starts:
            weight = torch.ones(WINDOW_FRAMES, device=aligned.device)
            if start > 0:
                weight = _fade(place)
            if start < starts[-1]:
                weight = weight * _fade(place.flip(0))
            window = slice(start, start + WINDOW_FRAMES)
            features[:, window] += self.encode(aligned[:, window]) * weight[:, None]
            total[window] += weight[:, None]
            progress((start + WINDOW_FRAMES) / frames)
        return features / total


def _fade(distance: Tensor) -> Tensor:
    """Weight of a frame by its distance to the edge of the window: 0 in the margin, then a ramp to 1."""
    return ((distance - MARGIN_FRAMES + 0.5) / FADE_FRAMES).clamp(0.0, 1.0)


@dataclass(frozen=True)
class _FixedNorm:
    """A channel-wise group norm with given mean and variance (C,)."""

    norm: nn.GroupNorm
    mean: Tensor
    variance: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """Hidden (1, C, t) -> (1, C, t)."""
        mean, variance = self.mean.to(hidden.device), self.variance.to(hidden.device)
        return functional.batch_norm(hidden, mean, variance, self.norm.weight, self.norm.bias, eps=self.norm.eps)


def load_speech_encoder(bundle: Bundle, device: str | torch.device = "cpu") -> SpeechEncoder:
    """The speech encoder of a bundle, ready to use. Raises EngineError when its parts are missing or do not fit."""
    try:
        config = SpeechConfig(**bundle.section("speech"))
        encoder = bundle.network("speech", lambda: SpeechEncoder(config))
    except MISFITS as error:
        raise EngineError(f"The bundle {bundle.name} describes no speech encoder; install the bundle again.") from error
    return encoder.to(device).eval()
