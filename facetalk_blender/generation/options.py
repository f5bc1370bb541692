"""What a generation is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from ...engine.shared.options import DEVICE, RESOLUTION, STARTER
from ...engine.shared.style import Style
from ..hair.worn import SHARES, Cut
from ..look.appearance import Color
from ..look.skin_traits import SkinTraits
from ..look.stage import StageChoice
from ..outputs.curves.expression_curves import CurveSettings
from ..outputs.frames.frame_storage import FrameStorage
from .gaze_target import GazeTarget

SAMPLER_OPTIONS = ("seed", "steps", "guidance", "strength", "controls")


@dataclass(frozen=True)
class Options:
    """What a generation is asked for.

    output: "FRAME_MESHES", "SHAPE_KEYS" or "EXPRESSION_CURVES"; resolution: cells per side for frame meshes.
    identity: "mean", "random:SEED" or a file with an identity code, and moved controls (see identity_text).
    skin_color, eye_color: linear; None leaves the materials' own.
    skin_traits: what the skin is like beside its colour.
    seed, steps, guidance, strength: of the sampler; None is the model's own number.
    controls: what the performance shall be, {name: number}, see `engine.shared.controls`.
    keyed_controls: the same over time, {name: [(scene frame, number), ...]}, linear in between.
    gaze: what the eyes look at, from which two more controls follow; None leaves them free.
    bundle: "starter" or a folder; device: "auto", "cpu" or "cuda".
    frames: scene frames to make surfaces for; None makes all that are heard.
    audio_playback, add_stage: whether to set up playback, and camera and lights around a new head.
    stage: what camera, lights and backdrop are.
    curves: of Expression Curves.
    style: in which the take is shown; the take itself stays as it was sampled.
    storage: of frame meshes.
    cut: the hair of a new head; None leaves it bald, with painted brows.
    strands: shares of them that viewports and renders show, 0..1.
    """

    output: str = "FRAME_MESHES"
    resolution: int = RESOLUTION
    identity: str = "mean"
    skin_color: Color | None = None
    eye_color: Color | None = None
    skin_traits: SkinTraits = field(default_factory=SkinTraits)
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    strength: float = 1.0
    controls: dict[str, float] = field(default_factory=dict)
    keyed_controls: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    gaze: GazeTarget | None = None
    bundle: str = STARTER
    device: str = DEVICE
    frames: range | None = None
    audio_playback: bool = True
    add_stage: bool = True
    stage: StageChoice = field(default_factory=StageChoice)
    curves: CurveSettings = field(default_factory=CurveSettings)
    style: Style = field(default_factory=Style)
    storage: FrameStorage = field(default_factory=FrameStorage)
    cut: Cut | None = None
    strands: tuple[float, float] = SHARES

    def sampler(self) -> dict:
        """What the engine's sampler is asked for."""
        return {name: getattr(self, name) for name in SAMPLER_OPTIONS}

    def facts(self, bundle: str) -> dict:
        """What a take keeps of them, as JSON values. bundle: the name that the bundle gives itself.

        Names instead of paths: the file may be opened on another computer.
        """
        facts = asdict(self) | {"frames": None, "identity": Path(self.identity).name, "bundle": bundle}
        for name in ("gaze", "storage", "stage", "skin_traits", "cut", "strands"):
            del facts[name]
        return facts
