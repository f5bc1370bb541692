"""The released NPHM, the backward NPHM and MonoNPHM, in the folders that their authors publish -> a head bundle.

A backward model is one checkpoint (`id_decoder`, `ex_decoder`); the released, forward NPHM is two, one for identities
and one for expressions. Settings lie beside the folder `checkpoints` as configs.yaml. No checkpoint holds mean anchors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bundle import Bundle, merge_section, update_config
from ..head import load_head
from ..head.networks.expression import ExpressionNetwork
from ..head.networks.forward_identity import ForwardIdentityNetwork
from ..head.networks.identity import IdentityNetwork
from ..head.networks.official import FORWARD_ENSEMBLE, anchor_count, networks_from_forward, networks_from_official
from ..head.networks.smoothing import SmoothingConfig
from ..shared.errors import Cancelled, EngineError
from .checkpoint import named_tensors, read_anchors, read_checkpoint, read_settings
from .recognise import CHECKPOINT
from .staging import staged_bundle

SMOOTHING = ("none", "all", "offsets")
# What the official code takes when the settings leave it out.
DEFAULT_BLEND_STD = 4.0
LICENCES = {
    "NPHM": "NPHM weights (Giebenhain et al. 2023): terms of the NPHM data set that you accepted; research only, "
    "not covered by the MIT License of the code",
    "NPHM with backward deformations": "nphm_backward weights (DPHM, Tang et al. 2024): Sony's licence of DPHM, "
    "non-commercial, and the terms of the NPHM data set",
    "MonoNPHM": "MonoNPHM weights (Giebenhain et al. 2024): terms of the NPHM data set that you accepted; research "
    "only, not covered by the MIT License of the code",
}


@dataclass
class _Part:
    """A checkpoint file: which model it belongs to, its networks' weights, its code books, its settings."""

    path: Path
    kind: str
    weights: dict[str, dict[str, Tensor]]
    codes: dict[str, Tensor]

    @property
    def settings_file(self) -> Path:
        """configs.yaml beside the folder `checkpoints`, or beside the file."""
        beside = self.path.parent / "configs.yaml"
        return beside if beside.is_file() else self.path.parent.parent / "configs.yaml"


@dataclass
class _Model:
    """Networks and what goes with them into a bundle."""

    name: str
    identity: IdentityNetwork | ForwardIdentityNetwork
    expression: ExpressionNetwork
    identity_codes: Tensor
    expression_codes: Tensor
    forward: bool


def import_nphm(
    sources: Iterable[str | Path],
    output: str | Path,
    *,
    anchors: str | Path | None = None,
    smoothing: str = "none",
    replace: bool = False,
    add: bool = False,
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Bundle:
    """Make a bundle of an official NPHM model; weights keep their full precision.

    sources: published folders or checkpoint files: one of a backward model, or both of the released NPHM.
    anchors: anchors_<n>.npy; None looks for it in the sources' folders.
    smoothing: FaceTalk's Gaussian mask: "none", "all" (offsets and hyper coordinates) or "offsets" alone.
    replace, add: see `staged_bundle`. progress: called with a stage's name and 0..1; cancelled: asked between stages.

    Raises EngineError when anything is missing, damaged or does not fit; then nothing is written.
    """
    if smoothing not in SMOOTHING:
        raise EngineError(f"Smoothing '{smoothing}' is unknown; use none, all or offsets.")

    def stage(text: str, fraction: float) -> None:
        if cancelled():
            raise Cancelled
        progress(text, fraction)

    chosen, output = [Path(source) for source in sources], Path(output).absolute()
    with staged_bundle(output, replace, add) as folder:
        stage("Reading checkpoints", 0.0)
        parts = _parts(chosen)
        stage("Reading anchors", 0.5)
        mean = read_anchors(_anchor_file(anchors, chosen, anchor_count(parts[0].weights["identity"])))
        model = _model(parts, mean)
        stage("Writing the bundle", 0.6)
        _write(folder, output.name, model, smoothing)
        stage("Checking the bundle", 0.8)
        _check(folder)
        stage("Done", 1.0)
    return Bundle.open(output)


def _parts(sources: list[Path]) -> list[_Part]:
    """The checkpoints of exactly one model, the one with the identity network first."""
    found: dict[str, _Part] = {}
    files = [file for source in sources for file in _checkpoint_files(source)]
    for path in files:
        part = _part(path)
        if part is None:
            continue
        if part.kind in found:
            raise EngineError(
                f"{found[part.kind].path} and {path} are both {part.kind} checkpoints; name one model's folder."
            )
        found[part.kind] = part
    backward = [part for kind, part in found.items() if kind == "backward"]
    forward = [found[kind] for kind in ("identity", "expression") if kind in found]
    if backward and forward:
        raise EngineError(f"{sources[0]} holds a backward and a forward model; name one model's folder.")
    if backward or len(forward) == 2:
        return backward or forward
    if forward:
        missing = "expression" if forward[0].kind == "identity" else "identity"
        raise EngineError(
            f"{forward[0].path} is one half of the released NPHM; name the folder of its {missing} network as well."
        )
    names = ", ".join(str(path) for path in files)
    raise EngineError(
        f"{names} has no NPHM network (no id_decoder with ex_decoder, no ensemble of local networks); "
        "choose NPHM, nphm_backward or MonoNPHM."
    )


def _checkpoint_files(source: Path) -> list[Path]:
    """A checkpoint file itself, or the last epoch of every folder of checkpoints below a folder."""
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise EngineError(f"There is no folder {source}; choose the folder of a model as its authors publish it.")
    newest: dict[Path, tuple[int, Path]] = {}
    for path in sorted(source.rglob("*.tar")):
        match = CHECKPOINT.fullmatch(path.name)
        if match:
            newest[path.parent] = max(newest.get(path.parent, (-1, path)), (int(match[1]), path))
    if not newest:
        raise EngineError(f"{source} has no checkpoint_epoch_<n>.tar; choose the folder that its authors publish.")
    return [path for _, path in newest.values()]


def _part(path: Path) -> _Part | None:
    """A checkpoint with its kind; None for a file of another model."""
    checkpoint = read_checkpoint(path)
    if "id_decoder" in checkpoint and "ex_decoder" in checkpoint:
        weights = {"identity": checkpoint["id_decoder"], "expression": checkpoint["ex_decoder"]}
        books = checkpoint.get("latent_codes", {})
        codes = {"identity": "codebook.geo.embedding.weight", "expression": "codebook.exp.embedding.weight"}
        kind = "backward"
    elif isinstance(decoder := checkpoint.get("decoder_state_dict"), dict):
        kinds = {FORWARD_ENSEMBLE: "identity", "defDeepSDF": "expression"}
        kind = next((kind for start, kind in kinds.items() if any(str(key).startswith(start) for key in decoder)), "")
        if not kind:
            return None
        weights = {kind: decoder}
        books, codes = checkpoint.get("latent_codes_state_dict", {}), {kind: "weight"}
    else:
        return None
    weights = {name: named_tensors(value, path) for name, value in weights.items()}
    books = named_tensors(books, path) if books else {}
    return _Part(path, kind, weights, {name: books[key] for name, key in codes.items() if key in books})


def _anchor_file(chosen: str | Path | None, sources: list[Path], count: int) -> Path:
    if chosen is not None:
        return Path(chosen)
    name = f"anchors_{count}.npy"
    folders = [source if source.is_dir() else source.parent for source in sources]
    found = next((path for folder in folders for path in sorted(folder.rglob(name))), None)
    if found is None:
        raise EngineError(
            f"The mean anchors are missing: they are in no checkpoint. Name {name} of the official code's assets."
        )
    return found


def _model(parts: list[_Part], mean: Tensor) -> _Model:
    first = parts[0]
    networks: tuple[IdentityNetwork | ForwardIdentityNetwork, ExpressionNetwork]
    if first.kind == "backward":
        settings = read_settings(first.settings_file)
        neighbours = _number(settings, "decoder.id.nneigh", first.settings_file)
        blend_std = _number(settings, "decoder.id.blend_std", first.settings_file, DEFAULT_BLEND_STD)
        if neighbours != int(neighbours):
            raise EngineError(f"{first.settings_file} has no whole number in decoder.id.nneigh; get it again.")
        decoders = {"id_decoder": first.weights["identity"], "ex_decoder": first.weights["expression"]}
        networks = networks_from_official(decoders, mean, int(neighbours), blend_std)
        colour = any(key.startswith("aggr_app") for key in first.weights["identity"])
        name = "MonoNPHM" if colour or networks[0].config.anchors == 65 else "NPHM with backward deformations"
    else:
        for part in parts:
            if part.settings_file.is_file():
                read_settings(part.settings_file)
        networks = networks_from_forward(parts[0].weights["identity"], parts[1].weights["expression"], mean)
        name = "NPHM"
    codes = {kind: book for part in parts for kind, book in part.codes.items()}
    identity, expression = networks
    empty = {"identity": identity.config.dimensions, "expression": expression.config.expression_dimensions}
    for kind, length in empty.items():
        book = codes.setdefault(kind, torch.zeros(0, length))
        if book.ndim != 2 or book.shape[1] != length:
            raise EngineError(f"{first.path}: its {kind} codes have shape {tuple(book.shape)}, not (N, {length}).")
    return _Model(name, identity, expression, codes["identity"], codes["expression"], first.kind != "backward")


def _number(settings: dict, key: str, path: Path, default: float | None = None) -> float:
    value: object = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    value = default if value is None else value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1000:
        raise EngineError(f"{path} has no positive number in {key}; use the one published with the weights.")
    return float(value)


def _write(folder: Path, name: str, model: _Model, smoothing: str) -> None:
    for part, network, codes in (
        ("identity", model.identity, model.identity_codes),
        ("expression", model.expression, model.expression_codes),
    ):
        tensors = network.state_dict() | ({f"{part}_codes": codes} if len(codes) else {})
        merge_section(folder, f"head.{part}", asdict(network.config), tensors, full_precision=tensors)

    def describe(config: dict) -> None:
        config["name"] = name
        config.setdefault("licences", {})["head"] = LICENCES[model.name]
        head = {key: config["head"][key] for key in ("identity", "expression")}
        head["model"] = model.name
        head["deformation"] = "forward" if model.forward else "backward"
        if smoothing != "none":
            head["smoothing"] = asdict(SmoothingConfig(scale_hyper=smoothing == "all"))
        config["head"] = head

    update_config(folder, describe)


def _check(folder: Path) -> None:
    """The written head computes finite values at its anchors."""
    head = load_head(Bundle.open(folder))
    points = head.anchors().astype(np.float32)
    if not (np.isfinite(head.signed_distance(points)).all() and np.isfinite(head.deformation(points)).all()):
        raise EngineError("The model computes no finite distances; get its weights from their authors again.")
