"""The expression decoder: a FiLM transformer that predicts clean expression codes from noisy ones.

FaceTalk (arXiv 2312.08459), section 4 and supplement B. Each block holds causal self-attention, cross-attention to
the audio feature of the same frame, and a feed-forward part; after each, FiLM layers bring in the diffusion time step.
What the paper leaves open (pre-norm, rotary positions, FiLM placement) follows EDGE (arXiv 2211.10658).

Shape letters: B batch, N code frames, D code dimensions, A audio dimensions, W width, h heads, d width of a head,
L attention window, n blocks of L frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..bundle import Bundle
from ..network_building import MISFITS, check_sizes
from ..shared.controls import CONTROL_NAMES
from ..shared.errors import EngineError
from ..shared.pose import POSE_NAMES
from ..shared.units import CODE_RATE
from .prosody import PROSODY_DIMENSIONS
from .sampling_defaults import PREFIX
from .timestep_injection import INJECTIONS, FiLM

# Prosody and controls are few numbers of about one beside many features. Their weights begin at zero and move by the
# learning rate at a time whatever their gradient, so without a gain they would take long to count.
INPUT_GAIN = 4.0
# Longer sequences are denoised in pieces: code frames.
WHOLE_FRAMES, PIECE_FRAMES = 2880, 1440


@dataclass(frozen=True)
class DenoiserConfig:
    """Sizes of the expression decoder; the defaults are the paper's.

    layers: decoder blocks (the paper says "a stack"; relatives use 8).
    width, heads, feed_forward: transformer sizes.
    window: frames that self-attention spans, itself included; 48 is the paper's training length.
    causal: whether a frame sees only itself and the frames before it (the paper), or as many on both sides.
    code_dimensions, audio_dimensions: sizes of an expression code and of a speech feature.
    dropout: training only.
    code_scale: root mean square of the training codes; the network sees codes divided by it.
    code_rate: code frames per second.
    timestep_injection: how the time step enters, a key of INJECTIONS; "film" is the paper's choice.
    film_rank: rank of FiLM's maps, or None for whole ones, as in the paper.
    alignment_mask: whether a frame attends to the audio of its own time only (Eq. 7), or of all frames.
    pose_scale: what a unit of each column of the head's pose is, degrees and millimetres; none without a pose.
    prosody_dimensions: numbers of `prosody` that follow a speech feature's, 0 when it takes none.
    controls: names of what it can be asked for besides the voice (`engine.shared.controls`).

    Raises EngineError for sizes that make no network.
    """

    layers: int = 8
    width: int = 256
    heads: int = 8
    feed_forward: int = 1024
    window: int = 48
    causal: bool = True
    code_dimensions: int = 200
    audio_dimensions: int = 768
    dropout: float = 0.1
    code_scale: float = 1.0
    code_rate: float = CODE_RATE
    timestep_injection: str = "film"
    film_rank: int | None = None
    alignment_mask: bool = True
    pose_scale: tuple[float, ...] = ()
    prosody_dimensions: int = 0
    controls: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_performance()
        sizes = {"layers": 64, "width": 4096, "heads": 64, "feed_forward": 16384, "window": 4096}
        sizes |= {"code_dimensions": 4096, "audio_dimensions": 4096}
        sizes |= {} if self.film_rank is None else {"film_rank": 4096}
        for name, largest in sizes.items():
            value = getattr(self, name)
            if not isinstance(value, int) or not 1 <= value <= largest:
                raise EngineError(f"The motion model's {name} is {value!r}; choose a bundle with 1 to {largest}.")
        if self.width % (2 * self.heads):
            raise EngineError("The motion model's width is not an even multiple of its heads; choose another bundle.")
        if not (self.code_scale > 0 and self.code_rate > 0 and 0 <= self.dropout < 1):
            raise EngineError("The motion model's code_scale, code_rate or dropout is out of range; choose another.")
        if self.timestep_injection not in INJECTIONS:
            known = ", ".join(INJECTIONS)
            raise EngineError(f"The motion model injects time steps by {self.timestep_injection!r}; known are {known}.")

    def _check_performance(self) -> None:
        """What the paper's decoder does not have: pose, prosody and controls."""
        for name in ("pose_scale", "controls"):  # JSON has no tuples
            object.__setattr__(self, name, tuple(getattr(self, name)))
        numbers = all(isinstance(value, int | float) and 0 < value < 1e3 for value in self.pose_scale)
        if len(self.pose_scale) not in (0, len(POSE_NAMES)) or not numbers:
            raise EngineError("The motion model's pose_scale is not six positive numbers; choose another bundle.")
        if self.prosody_dimensions not in (0, PROSODY_DIMENSIONS):
            raise EngineError("The motion model takes another prosody than this version measures; choose another.")
        if not set(self.controls) <= set(CONTROL_NAMES) or len(set(self.controls)) != len(self.controls):
            raise EngineError("The motion model has controls that this version does not know; choose another bundle.")

    @property
    def columns(self) -> int:
        """Numbers of a frame that are noised and predicted: the code and, where there is one, the head's pose."""
        return self.code_dimensions + len(self.pose_scale)

    @property
    def scales(self) -> Tensor:
        """Unit of every column in the bundle's units: (D + P,)."""
        return torch.tensor([self.code_scale] * self.code_dimensions + list(self.pose_scale))


class TimestepEmbedding(nn.Module):
    """Diffusion time steps (B,) to vectors (B, W): interleaved sinusoid, Linear, SiLU, Linear (supplement B)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps: Tensor) -> Tensor:
        """Timesteps (B,) -> (B, W)."""
        return self.mlp(sinusoid(timesteps, self.width))


def sinusoid(timesteps: Tensor, width: int) -> Tensor:
    """Time steps (B,) in 0..999 to (B, width): sin at even, cos at odd places, base 10000 (supplement B)."""
    even = torch.arange(0, width, 2, device=timesteps.device, dtype=torch.float32)
    angles = timesteps.float()[:, None] * torch.exp(-math.log(10000.0) * even / width)  # (B, width/2)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)  # (B, width)


@dataclass(frozen=True)
class AttentionLayout:
    """What every self-attention layer shares for one sequence length.

    cosine, sine: (N, d) rotary factors. mask: (n, 1, L, K), True = visible, or None when N fits the window; K is 2L
    for causal attention (previous and own block), else 3L (the next block, too).
    """

    cosine: Tensor
    sine: Tensor
    mask: Tensor | None


@lru_cache(maxsize=4)
def attention_layout(frames: int, head_width: int, window: int, causal: bool, device: torch.device) -> AttentionLayout:
    """The layout for `frames` code frames: frame i sees frames i - window + 1 ... i (Eq. 6, window as in training).

    Without causality it sees half a window before and after itself.
    """
    # Made outside inference mode: sampling and training share the cache. Angles in float64: a long clip has large ones.
    with torch.inference_mode(False):
        frequencies = 10000.0 ** (-torch.arange(0, head_width, 2, dtype=torch.float64) / head_width)
        angles = torch.arange(frames, dtype=torch.float64)[:, None] * frequencies  # (N, d/2)
        angles = torch.cat([angles, angles], dim=-1)  # (N, d)
        mask = None
        if frames > window:
            blocks = math.ceil(frames / window)
            query = torch.arange(window)[:, None]  # place in the own block
            key = torch.arange(2 * window) - window  # place in the previous (negative) and the own block
            mask = (key <= query) & (key > query - window)  # (L, 2L)
            if not causal:
                key = torch.arange(3 * window) - window  # the next block, too
                mask = (key - query).abs() <= window // 2  # (L, 3L)
            place = key + window * torch.arange(blocks)[:, None, None, None]  # (n, 1, 1, K) in the sequence
            mask = mask & (place >= 0) & (place < frames)  # (n, 1, L, K)
            mask = mask.to(device)
        return AttentionLayout(angles.cos().float().to(device), angles.sin().float().to(device), mask)


class WindowedSelfAttention(nn.Module):
    """Multi-head self-attention of a frame to itself and the window before it, with rotary positions.

    Sequences longer than the window are cut into blocks of that length; each attends to its own and the neighbouring
    blocks under a band mask. The result is that of the full masked attention, in memory linear in the length.
    """

    def __init__(self, width: int, heads: int, window: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.window, self.causal = heads, window, causal
        self.query_key_value = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, layout: AttentionLayout) -> Tensor:
        """x (B, N, W) -> (B, N, W)."""
        batch, frames, width = x.shape
        q, k, v = self.query_key_value(x).view(batch, frames, 3, self.heads, -1).permute(2, 0, 3, 1, 4)  # (B, h, N, d)
        q = rotate(q, layout).to(v.dtype)
        k = rotate(k, layout).to(v.dtype)
        if layout.mask is None:
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)  # (B, h, N, d)
        else:
            y = self._blockwise(q, k, v, layout.mask)
        return self.output(y.transpose(1, 2).reshape(batch, frames, width))  # (B, N, W)

    def _blockwise(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        batch, heads, frames, head_width = q.shape
        blocks, length = mask.shape[0], self.window
        padding = (0, 0, 0, blocks * length - frames)

        def cut(x: Tensor) -> Tensor:
            x = functional.pad(x, padding).view(batch, heads, blocks, length, head_width)
            return x.transpose(1, 2)  # (B, n, h, L, d)

        def with_neighbours(x: Tensor) -> Tensor:
            x = cut(x)
            parts = [functional.pad(x, (0, 0, 0, 0, 0, 0, 1, 0))[:, :-1], x]  # (B, n, h, L, d), zeros before the first
            if not self.causal:
                parts.append(functional.pad(x, (0, 0, 0, 0, 0, 0, 0, 1))[:, 1:])
            return torch.cat(parts, dim=3).flatten(0, 1)  # (B*n, h, 2L or 3L, d)

        y = functional.scaled_dot_product_attention(
            cut(q).flatten(0, 1), with_neighbours(k), with_neighbours(v), attn_mask=mask.repeat(batch, 1, 1, 1)
        )  # (B*n, h, L, d)
        y = y.view(batch, blocks, heads, length, head_width).transpose(1, 2)  # (B, h, n, L, d)
        return y.reshape(batch, heads, blocks * length, head_width)[:, :, :frames]  # (B, h, N, d)


def rotate(x: Tensor, layout: AttentionLayout) -> Tensor:
    """Rotary positions (arXiv 2104.09864) on queries or keys (B, h, N, d), so scores depend on distances only."""
    first, second = x.chunk(2, dim=-1)
    return x * layout.cosine + torch.cat([-second, first], dim=-1) * layout.sine


class AlignedCrossAttention(nn.Module):
    """Cross-attention under the alignment mask of Eq. 7, in closed form.

    Frame i may attend to audio frame i alone, so its softmax has one element and equals 1: the result is
    W_o (W_v a_i + b_v) + b_o whatever the query, and need be computed only once per clip.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, audio: Tensor) -> Tensor:
        """audio (B, N, W) -> (B, N, W)."""
        return self.output(self.value(audio))

    @staticmethod
    def attend(x: Tensor, prepared: Tensor) -> Tensor:
        """What `forward` prepared, for any expression features x."""
        return prepared


class UnmaskedCrossAttention(nn.Module):
    """Cross-attention without the alignment mask: every frame attends to the audio of the whole clip.

    The paper's ablation; its time grows with the square of the clip. It has no positions of its own: the speech
    features know theirs.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, audio: Tensor) -> Tensor:
        """Keys and values (B, M, 2 W) of the audio (B, M, W)."""
        return self.key_value(audio)

    def attend(self, x: Tensor, prepared: Tensor) -> Tensor:
        """Expression features x (B, N, W), prepared (B or 1, M, 2 W) -> (B, N, W)."""
        batch, frames, width = x.shape
        q = self.query(self.norm(x)).view(batch, frames, self.heads, -1).transpose(1, 2)  # (B, h, N, d)
        keys_values = prepared.expand(batch, -1, -1).reshape(batch, -1, 2, self.heads, width // self.heads)
        k, v = keys_values.permute(2, 0, 3, 1, 4)  # (B, h, M, d) each
        y = functional.scaled_dot_product_attention(q, k, v)  # (B, h, N, d)
        return self.output(y.transpose(1, 2).reshape(batch, frames, width))


class DecoderBlock(nn.Module):
    """Self-attention, cross-attention, feed-forward; the time step modulates each result before the residual stream.

    The parts that bring it in are named after the paper's choice.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        width, kind = config.width, INJECTIONS[config.timestep_injection]
        injection: Callable[[int], nn.Module] = partial(FiLM, rank=config.film_rank) if kind is FiLM else kind
        self.self_attention_norm = nn.LayerNorm(width)
        self.self_attention = WindowedSelfAttention(width, config.heads, config.window, config.causal)
        self.self_attention_film = injection(width)
        # The closed form of the cross-attention has no query, hence no norm in front of it.
        aligned = config.alignment_mask
        self.cross_attention = AlignedCrossAttention(width) if aligned else UnmaskedCrossAttention(width, config.heads)
        self.cross_attention_film = injection(width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, config.feed_forward),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(config.feed_forward, width),
        )
        self.feed_forward_film = injection(width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, prepared_audio: Tensor, time: Tensor, layout: AttentionLayout) -> Tensor:
        """x (B, N, W), prepared_audio (B or 1, N or 1, ...) from `cross_attention`, time (B, W) -> (B, N, W)."""
        attended = self.self_attention(self.self_attention_norm(x), layout)
        x = x + self.self_attention_film(self.dropout(attended), time)
        x = x + self.cross_attention_film(self.dropout(self.cross_attention.attend(x, prepared_audio)), time)
        return x + self.feed_forward_film(self.dropout(self.feed_forward(self.feed_forward_norm(x))), time)


class ExpressionDecoder(nn.Module):
    """The network G of Eq. 4: noisy codes, time step and audio features to clean codes.

    Codes are in normalised units (divided by `config.scales`); where the bundle has a head pose, its columns follow
    those of the code: D stands for both. A stands for a speech feature's numbers and those of its prosody.
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.config = config
        self.time = TimestepEmbedding(config.width)
        self.code_projection = nn.Linear(config.columns, config.width)
        self.audio_projection = nn.Linear(config.audio_dimensions, config.width)
        self.null_condition = nn.Parameter(torch.zeros(config.width))
        self.prosody_projection, self.control_projection, self.null_controls = None, None, None
        if config.prosody_dimensions:
            self.prosody_projection = nn.Linear(config.prosody_dimensions, config.width, bias=False)
        if config.controls:
            self.control_projection = nn.Linear(len(config.controls), config.width, bias=False)
            self.null_controls = nn.Parameter(torch.zeros(config.width))
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))
        self.output = nn.Linear(config.width, config.columns)

    def forward(
        self,
        noisy_codes: Tensor,
        timesteps: Tensor,
        audio: Tensor | None,
        dropped: Tensor | None = None,
        controls: Tensor | None = None,
        dropped_controls: Tensor | None = None,
    ) -> Tensor:
        """Predicted clean codes (B, N, D) from noisy codes (B, N, D) at time steps (B,) in 0..999.

        audio: speech features (B, N, A); None = the null condition everywhere.
        controls: (B, N, C) of `config.controls`; None = their own null condition everywhere.
        dropped, dropped_controls: (B,) booleans, True where the null condition takes the place of either (training).
        """
        return self.denoise(noisy_codes, timesteps, self.prepare(audio, controls, dropped, dropped_controls))

    def prepare_audio(self, audio: Tensor | None, dropped: Tensor | None = None) -> list[Tensor]:
        """`prepare` without controls."""
        return self.prepare(audio, None, dropped)

    def prepare(
        self,
        audio: Tensor | None,
        controls: Tensor | None = None,
        dropped: Tensor | None = None,
        dropped_controls: Tensor | None = None,
    ) -> list[Tensor]:
        """What the cross-attention of every block makes of the condition whatever the time step: per block (B, N, W).

        Without audio and controls they are (1, 1, W), the learned null condition, good for any batch and length.
        Without the alignment mask keys and values take the place of results, and 2 W that of W.
        """
        condition = self._heard(audio, dropped) + self._asked(controls, dropped_controls)
        blocks = (cast(DecoderBlock, block) for block in self.blocks)  # a ModuleList does not say what it holds
        return [block.cross_attention(condition) for block in blocks]

    def _heard(self, audio: Tensor | None, dropped: Tensor | None) -> Tensor:
        """What the voice adds to the condition: (B, N, W), or (1, 1, W) without one."""
        if audio is None:
            return self.null_condition[None, None]
        condition = self.audio_projection(audio[..., : self.config.audio_dimensions])
        if self.prosody_projection is not None:
            prosody = audio[..., self.config.audio_dimensions :]
            condition = condition + self.prosody_projection(INPUT_GAIN * prosody)
        if dropped is None:
            return condition
        return torch.where(dropped[:, None, None], self.null_condition.to(condition.dtype), condition)

    def _asked(self, controls: Tensor | None, dropped: Tensor | None) -> Tensor:
        """What the controls add to the condition: (B, N, W), or (1, 1, W) without them."""
        if self.control_projection is None or self.null_controls is None:
            return self.null_condition.new_zeros(1, 1, 1)
        if controls is None:
            return self.null_controls[None, None]
        condition = self.control_projection(INPUT_GAIN * controls)
        if dropped is None:
            return condition
        return torch.where(dropped[:, None, None], self.null_controls.to(condition.dtype), condition)

    def denoise(
        self,
        noisy_codes: Tensor,
        timesteps: Tensor,
        prepared_audio: list[Tensor],
        progress: Callable[[float], None] | None = None,
    ) -> Tensor:
        """As `forward`, with the condition already prepared by `prepare`.

        Long sequences go through in pieces, each with the frames that its own can see through all layers: the result
        is the same, and memory is that of a piece. progress: called with the fraction done between two of them; what it
        raises ends the work.
        """
        frames = noisy_codes.shape[1]
        if frames <= WHOLE_FRAMES or not self.config.alignment_mask:
            return self._denoise_piece(noisy_codes, timesteps, prepared_audio)
        window = self.config.window
        length, margin = -(-PIECE_FRAMES // window) * window, self.config.layers * window  # blocks stay where they are
        pieces = []
        for start in range(0, frames, length):
            if progress is not None and start > 0:
                progress(start / frames)
            seen = slice(max(start - margin, 0), start + length + margin)
            audio = [block if block.shape[1] == 1 else block[:, seen] for block in prepared_audio]
            piece = self._denoise_piece(noisy_codes[:, seen], timesteps, audio)
            pieces.append(piece[:, start - seen.start :][:, :length])
        return torch.cat(pieces, dim=1)

    def _denoise_piece(self, noisy_codes: Tensor, timesteps: Tensor, prepared_audio: list[Tensor]) -> Tensor:
        x = self.code_projection(noisy_codes)  # (B, N, W)
        time = self.time(timesteps)  # (B, W)
        if self.config.timestep_injection == "input":
            x = x + time[:, None]
        head_width = self.config.width // self.config.heads
        layout = attention_layout(x.shape[1], head_width, self.config.window, self.config.causal, x.device)
        for block, audio in zip(self.blocks, prepared_audio, strict=True):
            x = block(x, audio, time, layout)
        return self.output(x)  # (B, N, D)


def load_expression_decoder(bundle: Bundle, device: str | torch.device = "cpu") -> ExpressionDecoder:
    """The expression decoder of a bundle, ready to use. Raises EngineError when its parts are missing or do not fit."""
    section = {key: value for key, value in bundle.section("motion").items() if not key.startswith(PREFIX)}
    try:
        check_sizes(section)
        config = DenoiserConfig(**section)
        decoder = bundle.network("motion", lambda: ExpressionDecoder(config))
    except MISFITS as error:
        raise EngineError(f"The bundle {bundle.name} describes no motion model; install the bundle again.") from error
    return decoder.to(device).eval()
