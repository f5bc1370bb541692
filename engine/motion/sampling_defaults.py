"""How a bundle's motion is best sampled: the `default_…` keys of its section "motion"."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields

from ..bundle import Bundle
from ..shared.errors import EngineError
from ..shared.options import GUIDANCE, SAMPLERS, STEPS, Range
from ..shared.style import LARGEST

PREFIX = "default_"
_LIMITS = {
    "steps": STEPS,
    "guidance": GUIDANCE,
    "mouth_temperature": Range("mouth_temperature", 0, 1),
    "lid_temperature": Range("lid_temperature", 0, 1),
    "smooth": Range("smooth", 0, LARGEST["smooth"]),
    "seal": Range("seal", 0, 1),
    "lids": Range("lids", 0, 1),
    "gaze_still": Range("gaze_still", 0, 1),
    "pose_smooth": Range("pose_smooth", 0, LARGEST["smooth"]),
    "control_guidance": GUIDANCE,
}


@dataclass(frozen=True)
class SamplingDefaults:
    """What `Engine.sample` takes where its caller asks for nothing else.

    steps, sampler, guidance: see `diffusion.sample`.
    mouth_temperature, lid_temperature: factors on the noise of mouth and lids, 0..1 (see `temperature`).
    smooth, seal, lids, gaze_still, pose_smooth: what is done to sampled motion (see `refinement.Refinement`).
    control_guidance: see `diffusion.sample`.

    Raises EngineError for a value of the wrong type or out of range.
    """

    steps: int
    sampler: str
    guidance: float
    mouth_temperature: float = 1.0
    lid_temperature: float = 1.0
    smooth: float = 0.0
    seal: float = 0.0
    lids: float = 0.0
    gaze_still: float = 0.0
    pose_smooth: float = 0.0
    control_guidance: float = 1.0

    def __post_init__(self) -> None:
        for name, limit in _LIMITS.items():
            value = getattr(self, name)
            number = type(value) is int or (type(value) is float and name != "steps")
            if not number or not limit.holds(value):
                raise _wrong(name, value, str(limit))
        if self.sampler not in SAMPLERS:
            raise _wrong("sampler", self.sampler, f"one of {', '.join(SAMPLERS)}")

    @classmethod
    def of(cls, bundle: Bundle) -> SamplingDefaults:
        """Those of a bundle. Raises EngineError when one is missing, of the wrong type or out of range."""
        section = bundle.section("motion")
        found = {field.name: section[key] for field in fields(cls) if (key := PREFIX + field.name) in section}
        missing = [PREFIX + field.name for field in fields(cls) if field.name not in found and field.default is MISSING]
        if missing:
            raise EngineError(
                f"The section 'motion' of the bundle {bundle.name} lacks {', '.join(missing)}; install it again."
            )
        return cls(**found)

    def section(self) -> dict[str, float | str]:
        """The keys as a bundle's section holds them."""
        return {PREFIX + name: value for name, value in asdict(self).items()}


def _wrong(name: str, value: object, wanted: str) -> EngineError:
    return EngineError(f"The motion model's {PREFIX}{name} is {value!r}, not {wanted}; choose another bundle.")
