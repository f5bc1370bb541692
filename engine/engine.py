"""The public engine: speech -> expression codes -> surfaces."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from .bundle import ABILITIES, Bundle
from .check import package_versions
from .devices import choose_device, device_name
from .motion import asked_eyes, audio, diffusion
from .motion.codes import ExpressionTake, codes_from_weights, expression_basis, interpolated
from .motion.denoiser import DenoiserConfig
from .motion.sampling_defaults import SamplingDefaults
from .shared import __version__
from .shared.controls import EYE_CONTROLS, Curve, check_controls, control_rows, drawn_traits
from .shared.errors import Cancelled, EngineError
from .shared.hostile_files import UNREADABLE, read_npy
from .shared.identity_text import split_identity
from .shared.options import DEVICE, RESOLUTION, RESOLUTIONS, STARTER, STRENGTH, tolerance_of
from .shared.pose import POSE_NAMES, checked_pose
from .shared.style import Style
from .shared.units import CODE_RATE, METRES_PER_UNIT, SAMPLE_RATE
from .shared.weights import WEIGHT_NAMES

if TYPE_CHECKING:
    from .head_surfaces import HeadSurfaces

RANDOM_HEAD_DEVIATION = 0.8
RANDOM_HEAD_LIMIT = 2.0
LISTENING_SHARE, MEASURING_SHARE = 0.2, 0.25  # of the time that a take needs, of a long clip and without a GPU
LARGEST_CODE_BYTES = 1 << 20  # of a file with an identity code


@dataclass(frozen=True)
class SurfaceFrame:
    """The head's surface at one moment.

    index: position in the requested times.
    time: seconds from the start of the take.
    vertices: (V, 3) float32, metres, Blender's axes (z up, facing -y).
    faces: (F, 3) int32, counter-clockwise seen from outside.
    regions: (V, K) uint8 soft weights, 0..255, of region_names.
    rest: (V, 3) float32, metres, Blender's axes: where the vertices lie on the head at rest (in canonical space).
    eyes: which vertices (E,) int32 lie on or close around an eyeball, and their direction (E, 3) float32 from its
        centre: right, up and forward of the gaze; None when the model does not mark its eyes.
    """

    index: int
    time: float
    vertices: np.ndarray
    faces: np.ndarray
    regions: np.ndarray
    region_names: list[str]
    rest: np.ndarray
    eyes: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class ShapeKeySequence:
    """A head of fixed topology and its position at every code frame.

    vertices: (V, 3) float32 metres, Blender's axes, the neutral head.
    polygons: (P, 4) int32 vertex indices, -1 in the last column of a triangle.
    uv: (P, 4, 2) float32.
    regions: (V, K) uint8 soft weights, 0..255, of region_names.
    positions: iterator of (V, 3) float32 metres, one per code frame.
    rest, eyes: as in `SurfaceFrame`.
    """

    vertices: np.ndarray
    polygons: np.ndarray
    uv: np.ndarray
    regions: np.ndarray
    region_names: list[str]
    positions: Iterator[np.ndarray]
    rest: np.ndarray
    eyes: tuple[np.ndarray, np.ndarray] | None = None


class Engine:
    """A model bundle on a device, ready to speak. Networks load on first use."""

    def __init__(self, bundle: Bundle, device: torch.device):
        self.bundle = bundle
        self.device = device

    @classmethod
    def load(cls, bundle: str | Path = STARTER, device: str = DEVICE) -> Engine:
        """Open a bundle.

        bundle: "starter" or a bundle folder.
        device: "auto" (a CUDA GPU when there is one, else the CPU), "cpu", "cuda" or "cuda:N".

        Raises EngineError when the bundle cannot be read or the device is not there.
        """
        return cls(Bundle.open(bundle), choose_device(device))

    @cached_property
    def head(self):
        """The neural head (`engine.head.NeuralHead`), in model units."""
        from .head import load_head

        return load_head(self.bundle, self.device)

    @cached_property
    def head_surfaces(self) -> HeadSurfaces:
        """What makes surfaces of the head, in model units."""
        from .head_surfaces import HeadSurfaces

        return HeadSurfaces(self.head)

    @cached_property
    def _speech(self):
        from .motion.voice_activity import load_listener

        return load_listener(self.bundle, self.device)

    @cached_property
    def _decoder(self):
        from .motion.denoiser import load_expression_decoder

        return load_expression_decoder(self.bundle, self.device)

    @cached_property
    def _refinement(self):
        from .motion.refinement import load_refinement

        return load_refinement(self.bundle, self._arkit_basis)

    @cached_property
    def _temperature(self):
        from .motion.temperature import load_temperature

        return load_temperature(self.bundle, self._arkit_basis)

    @property
    def _arkit_basis(self) -> np.ndarray | None:
        return self.head.arkit_map.exact_basis

    def info(self) -> dict:
        """Device, versions, bundle, its licences and what it can do as JSON values.

        "missing" names for each ability the sections that the bundle lacks for it; none when it can. "arkit_weights"
        says how codes and ARKit weights convert: "exact" both ways, "fitted", or "none"; "arkit_fit" holds what a fit
        was made of and its errors. "head_controls" names the measured controls of an identity, "controls" what a
        performance can be asked for, and "pose" says whether takes have a head pose.
        """
        head = _table(self.bundle.config, "head")
        exact = self.bundle.holds("head.expression", "expression_basis")
        return {
            "version": __version__,
            "device": str(self.device),
            "device_name": device_name(self.device),
            "threads": torch.get_num_threads(),
            "versions": {"python": platform.python_version()} | package_versions(),
            "bundle": self.bundle.name,
            "licences": self.bundle.licences,
            "missing": {ability: self.bundle.missing(ability) for ability in ABILITIES},
            "arkit_weights": "exact" if exact else "fitted" if "arkit" in head else "none",
            "arkit_fit": _table(head, "arkit"),
            "head_controls": _names(_table(head, "controls"), "names"),
            "controls": [*_names(_table(self.bundle.config, "motion"), "controls"), *(EYE_CONTROLS if exact else ())],
            "pose": bool(_table(self.bundle.config, "motion").get("pose_scale")),
            "resolutions": list(RESOLUTIONS),
        }

    def sample(
        self,
        recording: str | Path | tuple[np.ndarray, int],
        *,
        start: float = 0.0,
        duration: float | None = None,
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        guidance: float | None = None,
        strength: float = 1.0,
        refine: bool = True,
        controls: Mapping[str, Curve] | None = None,
        control_guidance: float | None = None,
        keep: np.ndarray | None = None,
        keep_pose: np.ndarray | None = None,
        resample: tuple[int, int] | None = None,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> ExpressionTake:
        """Sample an expression take for a recording.

        recording: a sound file, or (samples, rate) with samples (S,) or (S, channels) in -1..1.
        start, duration: part of the recording, seconds.
        seed: of the noise; the same seed gives the same take.
        steps, sampler, guidance: None takes the bundle's defaults; `engine.shared.options` has the samplers and ranges.
        guidance: w of Eq. 10; 1 is the conditional model itself, more follows the voice more closely.
        strength: factor on the sampled codes, 0..3; 1 leaves them.
        refine: whether jitter is smoothed as the bundle asks for (see `engine.motion.refinement`); else the codes are
            as they were sampled.
        controls: what the performance shall be, {name: number, numbers (N,) for the code frames, or a curve (K, 2) of
            seconds and values}; names and limits are in `engine.shared.controls`. Traits that are not given are drawn
            from the seed.
        control_guidance: as guidance, for the controls alone; None takes the bundle's default.
        keep, resample: codes (N, 200) of a take of the same recording, and the code frames (start, end), end excluded,
            that are sampled again; the others stay bit for bit, and the new ones join them smoothly.
        keep_pose: the head pose (N, 6) of that take, which stays likewise; without it the new take has none.
        progress: called with the fraction done, 0..1, about every half second of work.
        cancelled: asked as often; true ends the sampling with `Cancelled`.

        Raises EngineError for a recording or a setting that cannot be used.
        """
        STRENGTH.check(strength)
        self.bundle.require("sample")
        samples = audio.load(recording, start=start, duration=duration)
        listening, sampling, measuring = _stages(progress, cancelled)
        config = self._decoder.config
        features = self._speech.features(samples, bool(config.prosody_dimensions), listening)
        del samples  # an hour of them takes 230 MB
        defaults = SamplingDefaults.of(self.bundle)
        steps = defaults.steps if steps is None else steps
        guidance = defaults.guidance if guidance is None else guidance
        eyes = () if self._arkit_basis is None else EYE_CONTROLS
        controls = check_controls(controls or {}, len(features), config.code_rate, (*config.controls, *eyes))
        turn = asked_eyes.head_turn(controls, len(features), config.code_rate)
        kept = _kept(keep, keep_pose, resample, strength, config, turn)
        asked = control_rows(config.controls, drawn_traits(seed) | controls, len(features))
        sampled = diffusion.sample(
            self._decoder,
            features,
            seed=seed,
            steps=steps,
            sampler=sampler or defaults.sampler,
            guidance=guidance,
            controls=torch.from_numpy(asked) if config.controls else None,
            control_guidance=defaults.control_guidance if control_guidance is None else control_guidance,
            temperature=self._temperature,
            kept=kept,
            progress=sampling,
            cancelled=cancelled,
        ).numpy()
        codes, pose = np.split(sampled, [config.code_dimensions], axis=1)
        provenance = {"bundle": self.bundle.name, "guidance": guidance, "strength": strength, "steps": steps}
        provenance |= {"controls": {name: _noted(value) for name, value in controls.items()}} if controls else {}
        if refine and self._refinement is not None:
            codes = self._refinement.refined(codes, kept)
            pose = self._refinement.smoothed_pose(pose, kept)
            provenance["refined"] = True
        if self._arkit_basis is not None and not controls.keys().isdisjoint(EYE_CONTROLS):
            pose = pose + turn if pose.size else pose
            codes = asked_eyes.with_asked_eyes(codes, pose, self._arkit_basis, controls, config.code_rate, seed, kept)
        codes = codes * np.float32(strength)
        if keep is not None and kept is not None:
            codes[: kept.start], codes[kept.end :] = keep[: kept.start], keep[kept.end :]  # no rounding by the strength
            if keep_pose is not None and pose.size:
                pose[: kept.start], pose[kept.end :] = keep_pose[: kept.start], keep_pose[kept.end :]
            provenance["resampled_codes"] = [kept.start, kept.end]
        has_pose = pose.size > 0 and (kept is None or keep_pose is not None)
        take = self.take_from_codes(
            codes,
            config.code_rate,
            seed=seed,
            pose=pose if has_pose else None,
            provenance=provenance,
            progress=measuring,
        )
        measuring(1.0)
        return take

    def follow(
        self,
        landmarks: np.ndarray,
        rate: float,
        *,
        seed: int = 0,
        steps: int | None = None,
        sampler: str | None = None,
        guidance: float | None = None,
    ) -> ExpressionTake:
        """A take that follows a captured face, with a bundle that was trained on landmarks.

        landmarks: (N, 68, 3) in Multi-PIE's order, any unit and axes, with the head's own motion; NaN where not seen.
        rate: frames per second. seed, steps, sampler, guidance: as in `sample`.

        Raises EngineError when the bundle follows a voice, or for landmarks that cannot be used.
        """
        from .motion.landmarks import LandmarkCondition

        self.bundle.require("surfaces")
        condition = LandmarkCondition.of_bundle(self.bundle)
        defaults, code_rate = SamplingDefaults.of(self.bundle), self._decoder.config.code_rate
        if not 0 < rate < 1e4:
            raise EngineError(f"A rate of {rate:g} frames per second is none; give that of the landmarks.")
        features = condition.features(landmarks)  # (N, 204)
        times = np.arange(max(round(len(features) / rate * code_rate), 1)) / code_rate
        features = torch.from_numpy(interpolated(features.numpy(), rate, times)).to(self.device)
        steps = defaults.steps if steps is None else steps
        guidance = defaults.guidance if guidance is None else guidance
        codes = diffusion.sample(
            self._decoder, features, seed=seed, steps=steps, sampler=sampler or defaults.sampler, guidance=guidance
        ).numpy()
        provenance = {"bundle": self.bundle.name, "guidance": guidance, "steps": steps, "condition": "landmarks"}
        return self.take_from_codes(codes, code_rate, seed=seed, provenance=provenance)

    def capture(
        self,
        video: str | Path,
        *,
        start: float = 0.0,
        duration: float | None = None,
        face: int = 0,
        progress: Callable[[float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> ExpressionTake:
        """A take of what the face of a video does: weights, gaze and tongue, and the head pose.

        start, duration: the part of the video, seconds. face: 0 for the largest, n for the n-th from the left.
        progress, cancelled: as in `sample`. The provenance tells how many pictures there were, in how many the face was
        lost, and how well the head's points fit.

        Raises EngineError when the packages mediapipe and av are missing, the video cannot be used or shows no face, or
        the bundle's codes cannot be made of ARKit weights.
        """
        from .face_capture.capture import capture

        motion = capture(
            video,
            self.head,
            start=start,
            duration=duration,
            face=face,
            progress=progress,
            cancelled=cancelled,
            lips_of_voice=self.lips_of_voice,
        )
        take = self.take_from_weights(motion.weights, CODE_RATE, provenance={"captured": motion.facts()})
        return replace(take, pose=motion.pose)

    def lips_of_voice(self, samples: np.ndarray) -> np.ndarray | None:
        """How far the lips are open by samples (S,) at 16 kHz: (N,) mm, None where the bundle cannot tell."""
        return None if self.bundle.missing("sample") else self.sample((samples, SAMPLE_RATE)).lip_opening_mm

    def take_from_codes(
        self,
        expression_codes: np.ndarray,
        rate: float,
        *,
        seed: int = 0,
        pose: np.ndarray | None = None,
        provenance: dict | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> ExpressionTake:
        """A take from codes (N, 200) at `rate` Hz, its weights and lip opening measured on the mean head.

        progress: see `lip_opening`.
        """
        expression_codes = np.asarray(expression_codes, np.float32)
        return ExpressionTake(
            codes=expression_codes,
            rate=rate,
            seed=seed,
            weights=self.head.arkit_map.weights(expression_codes),
            lip_opening_mm=self.lip_opening(expression_codes, progress=progress),
            pose=pose,
            provenance=provenance or {},
        )

    def take_from_weights(self, weights: np.ndarray, rate: float, *, provenance: dict | None = None) -> ExpressionTake:
        """A take from weights (N, 52) or (N, 57) of `WEIGHT_NAMES` at `rate` Hz, its codes by the bundle's map.

        Raises EngineError when the bundle's codes cannot be made of ARKit weights.
        """
        codes = codes_from_weights(weights, self.head.arkit_map.basis)
        return ExpressionTake(
            codes=codes,
            rate=rate,
            weights=np.asarray(weights, np.float32),
            lip_opening_mm=self.lip_opening(codes),
            provenance=provenance or {},
        )

    def lip_opening(
        self,
        expression_codes: np.ndarray,
        identity: np.ndarray | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> np.ndarray | None:
        """Distance between the lips (N,) in millimetres for codes (N, E) on a head; None when it cannot be measured.

        identity: a code (L,); None is the mean head, the only one that a fit to ARKit weights measures.
        progress: called with the fraction done, 0..1, now and then where there are many codes; what it raises ends the
            work.
        """
        from .head.topology.lips import has_lip_curves, lip_opening

        if not has_lip_curves(self.head, identity):
            return None
        return lip_opening(self.head, expression_codes, identity, progress)

    def styled(self, take: ExpressionTake, style: Style) -> ExpressionTake:
        """A take in a style (see `ExpressionTake.styled`), its lip opening measured on the mean head.

        Raises EngineError when the codes have no reading as ARKit weights.
        """
        if not style.changes:
            return take
        weights = self.head.arkit_map.weights(take.codes) if take.weights is None else take.weights
        take = replace(take, weights=weights)
        if not style.changes_weights:  # only the head, and the gaze that counters it
            return take.styled(style, expression_basis() if weights is None else self.head.arkit_map.basis)
        opening = self.lip_opening(take.codes) if take.lip_opening_mm is None else take.lip_opening_mm
        styled = replace(take, lip_opening_mm=opening).styled(style, self.head.arkit_map.basis)
        return replace(styled, lip_opening_mm=self.lip_opening(styled.codes))

    def surfaces(
        self,
        take: ExpressionTake,
        *,
        identity: str | np.ndarray | None = None,
        resolution: int = RESOLUTION,
        times: Sequence[float] | None = None,
        tolerance: float | None = None,
    ) -> Iterator[SurfaceFrame]:
        """Surfaces of a take, one after the other.

        identity: see `identity_code`.
        resolution: cells per side of the head's box.
        times: seconds from the start of the take; None gives every code frame.
        tolerance: how many cells a distance may be off that is carried from one frame to the next. None is a hundredth
            below 256 cells per side, else 0: every surface is then that of the dense grid.

        Raises EngineError when the resolution needs more memory than there is.
        """
        self.bundle.require("surfaces")
        seconds = np.arange(len(take.codes)) / take.rate if times is None else np.asarray(times, float)
        code = self.identity_code(identity)
        tolerance = tolerance_of(resolution) if tolerance is None else tolerance
        expressions = take.resampled(seconds)
        regions = self.head.prepare_identity(code).regions
        surfaces = self.head_surfaces.sequence(code, expressions, resolution, tolerance)
        for index, (expression, surface) in enumerate(zip(expressions, surfaces, strict=True)):
            yield SurfaceFrame(
                index=index,
                time=float(seconds[index]),
                vertices=blender_metres(surface.vertices),
                faces=surface.faces,
                regions=surface.regions,
                region_names=regions.head.names,
                rest=blender_metres(surface.canonical),
                eyes=regions.eye_directions(surface.canonical, expression),
            )

    def template_at_rest(self, identity: str | np.ndarray | None = None) -> np.ndarray | None:
        """Where the template's vertices (V, 3) lie on a head at rest (in canonical space), metres, Blender's axes.

        None when the bundle has no template, or when it is not known how that follows an identity.
        """
        if self.bundle.missing("shape_keys"):
            return None
        prepared = self.head.prepare_identity(self.identity_code(identity))
        canonical = self.head.template.canonical(self.head.modes.coefficients(prepared.code))
        return blender_metres(canonical.cpu().numpy())

    def work_ahead(self) -> bool:
        """A piece of work by which later surfaces of a head seen for a while are faster; False if none is left."""
        return "head_surfaces" in self.__dict__ and self.head_surfaces.work_ahead()

    def shape_keys(self, take: ExpressionTake, *, identity: str | np.ndarray | None = None) -> ShapeKeySequence:
        """The head of fixed topology and its positions at every code frame of a take."""
        from .head.topology.correspondence import FixedTopologyHead

        self.bundle.require("shape_keys")
        fixed = FixedTopologyHead(self.head, self.identity_code(identity))
        canonical = fixed.canonical.cpu().numpy()
        return ShapeKeySequence(
            vertices=blender_metres(fixed.neutral()),
            polygons=fixed.polygons,
            uv=fixed.uv,
            regions=fixed.regions,
            region_names=self.head.regions.names,
            positions=(blender_metres(positions) for positions in fixed.positions(take.codes)),
            rest=blender_metres(canonical),
            eyes=fixed.prepared.regions.eye_directions(canonical),
        )

    def arkit_shapes(self, *, identity: str | np.ndarray | None = None) -> ShapeKeySequence:
        """The head of fixed topology and, as its positions, every weight alone at one, by `WEIGHT_NAMES`.

        A weight that the bundle does not know gives the neutral head. Any expression is the neutral head plus the
        weighted sum of these displacements. Raises EngineError when the bundle's codes cannot be read as ARKit weights.
        """
        codes = codes_from_weights(np.eye(len(WEIGHT_NAMES), dtype=np.float32), self.head.arkit_map.basis)
        return self.shape_keys(ExpressionTake(codes), identity=identity)

    def identity_code(self, identity: str | np.ndarray | None) -> np.ndarray | None:
        """An identity code (1344,) from what a person may give.

        identity: None or "mean" (the mean head, None), "random:SEED", "subject:N" (a training subject of an imported
            model), a .npy file of one code, or the code itself. A text may go on with measured controls, e.g.
            "random:7+jaw_width=1.5,nose_length=-1" (see `identity_text`).

        Raises EngineError for anything else.
        """
        if not isinstance(identity, str):
            return self._base_code(identity)
        try:
            base, values = split_identity(identity)
        except ValueError as error:
            message = f"'{identity}' sets a head control to no number; write e.g. mean+jaw_width=1.5."
            raise EngineError(message) from error
        code = self._base_code(base)
        if not values:
            return code
        moved = self.head.modes.controlled(values)
        return moved if code is None else code + moved

    def _base_code(self, identity: str | np.ndarray | None) -> np.ndarray | None:
        if identity is None or (isinstance(identity, str) and identity == "mean"):
            return None
        if isinstance(identity, str) and identity.startswith("random:"):
            return self.head.modes.random(_number(identity, "random:"), RANDOM_HEAD_DEVIATION, RANDOM_HEAD_LIMIT)
        if isinstance(identity, str) and identity.startswith("subject:"):
            return self.head.identity_codes.row(_number(identity, "subject:"))
        code = _read_identity(identity) if isinstance(identity, (str, Path)) else np.asarray(identity)
        dimensions = self.head.identity_dimensions
        if code.shape != (dimensions,) or code.dtype.kind not in "fiu" or not np.isfinite(code).all():
            raise EngineError(f"An identity code is {dimensions} finite numbers; this one has shape {code.shape}.")
        return code.astype(np.float32)


def blender_metres(points: np.ndarray) -> np.ndarray:
    """Model units (y up, z out of the face) to metres in Blender's axes; (..., 3) float32."""
    x, y, z = np.moveaxis(np.asarray(points, np.float32) * METRES_PER_UNIT, -1, 0)
    return np.stack([x, -z, y], -1)


def _stages(
    progress: Callable[[float], None] | None, cancelled: Callable[[], bool] | None
) -> tuple[Callable[[float], None], Callable[[float], None], Callable[[float], None]]:
    """Progress of the listening, the sampling and the measuring; the first and the last raise Cancelled if asked to."""
    report = progress or (lambda fraction: None)
    sampling_share = 1 - LISTENING_SHARE - MEASURING_SHARE

    def stoppable(share: float) -> None:
        if cancelled is not None and cancelled():
            raise Cancelled
        report(share)

    return (
        lambda share: stoppable(LISTENING_SHARE * share),
        lambda share: report(LISTENING_SHARE + sampling_share * share),
        lambda share: stoppable(1 - MEASURING_SHARE * (1 - share)),
    )


def _kept(
    codes: np.ndarray | None,
    pose: np.ndarray | None,
    resample: tuple[int, int] | None,
    strength: float,
    config: DenoiserConfig,
    turn: np.ndarray,
) -> diffusion.Kept | None:
    """What stays of a take. turn: (N, 6) of its pose that comes after the sampling."""
    if codes is None and resample is None:
        return None
    if codes is None or resample is None:
        raise EngineError("A take to keep and a range of frames to sample again belong together; give both.")
    if not strength:
        raise EngineError("A take cannot be continued at strength 0; choose a larger strength.")
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.dtype.kind not in "fiu" or not np.isfinite(codes).all():
        raise EngineError("The codes to keep are not finite numbers in two dimensions; generate the take again.")
    start, end = (int(frame) for frame in resample)
    rows = codes.astype(np.float32) / np.float32(strength)
    if config.pose_scale:
        columns = np.zeros((len(codes), len(POSE_NAMES))) if pose is None else checked_pose(pose, len(codes))
        columns = columns - turn if pose is not None and len(turn) == len(codes) else columns
        rows = np.concatenate([rows, columns.astype(np.float32)], axis=1)
    return diffusion.Kept(torch.from_numpy(rows), start, end)


def _noted(value: Curve) -> float | list[float]:
    return float(value) if np.ndim(value) == 0 else [round(float(v), 4) for v in np.asarray(value)]


def _table(config: dict, name: str) -> dict:
    found = config.get(name)
    return found if isinstance(found, dict) else {}


def _names(table: dict, key: str) -> list[str]:
    """The texts of a list; none where there is no list, which what reads it for its own use refuses."""
    found = table.get(key)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _number(identity: str, prefix: str) -> int:
    digits = identity.removeprefix(prefix)
    if not re.fullmatch(r"[0-9]{1,18}", digits.strip()):
        raise EngineError(f"'{identity[:60]}' has no number; write {prefix} and a whole number from 0, e.g. {prefix}7.")
    return int(digits)


def _read_identity(path: str | Path) -> np.ndarray:
    try:
        return read_npy(path, LARGEST_CODE_BYTES)
    except UNREADABLE as error:
        message = f"Cannot read an identity code from '{path}'; use mean, random:SEED or a .npy file."
        raise EngineError(message) from error
