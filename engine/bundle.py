"""A model bundle on disk: `config.json` and safetensors files.

`config.json` holds the format number, the name, the licences and one section per network: the keyword arguments of
that network's config dataclass. Weights are fp16 on disk and float32 in memory. Nothing here runs code from a file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from .hostile_weights import read_safetensors
from .network_building import Network, build
from .shared.errors import EngineError
from .shared.files import replaced
from .shared.hostile_files import LARGEST_JSON, UNREADABLE, read_json
from .shared.options import STARTER

FORMAT = 1
SECTION_FILES = {
    "head.identity": "head_identity.safetensors",
    "head.expression": "head_expression.safetensors",
    "head.regions": "head_regions.safetensors",
    "head.template": "head_template.safetensors",
    "head.controls": "head_controls.safetensors",
    "head.arkit": "head_arkit.safetensors",
    "speech": "speech.safetensors",
    "voice_activity": "voice_activity.safetensors",
    "speech_detector": "speech_detector.safetensors",
    "motion": "motion.safetensors",
}
HEAD = ("head.identity", "head.expression")
# What a bundle can do, and the sections that it takes.
ABILITIES = {
    "sample": (*HEAD, "speech", "motion"),
    "surfaces": HEAD,
    "shape_keys": (*HEAD, "head.template"),
}


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its folder and its checked configuration."""

    folder: Path
    config: dict

    @classmethod
    def open(cls, name_or_folder: str | Path) -> Bundle:
        """Open the built-in "starter" bundle or a bundle folder.

        Raises EngineError when the folder holds no readable bundle of this format.
        """
        folder = Path(__file__).parent / STARTER if str(name_or_folder) == STARTER else Path(name_or_folder)
        config = read_config(folder)
        if config.get("format") != FORMAT:
            raise EngineError(
                f"The model bundle {folder} has format {config.get('format')!r}; this version reads format {FORMAT}."
            )
        return cls(folder, config)

    @property
    def name(self) -> str:
        """What the bundle calls itself."""
        return str(self.config.get("name", self.folder.name))

    @property
    def licences(self) -> dict[str, str]:
        """What each part of the bundle is licensed under."""
        licences = self.config.get("licences")
        return {str(part): str(text) for part, text in licences.items()} if isinstance(licences, dict) else {}

    def missing(self, ability: str) -> list[str]:
        """The sections that the bundle lacks for an ability, a key of ABILITIES; empty when it has it."""
        return [name for name in ABILITIES[ability] if not isinstance(self._find(name), dict)]

    def require(self, ability: str) -> None:
        """Raises EngineError when the bundle lacks what an ability takes."""
        missing = self.missing(ability)
        if missing:
            raise EngineError(
                f"The model bundle {self.name} has no {' and no '.join(missing)}, which '{ability}' needs; "
                "add them to it, or use a bundle that has them, such as 'starter'."
            )

    def section(self, name: str) -> dict:
        """The config of one network, e.g. "head.identity". Raises EngineError when the bundle lacks it."""
        section = self._find(name)
        if not isinstance(section, dict):
            raise EngineError(f"The model bundle {self.name} has no section '{name}'; choose a complete bundle.")
        return section

    def _find(self, name: str) -> object:
        section: object = self.config
        for key in name.split("."):
            section = section.get(key) if isinstance(section, dict) else None
        return section

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """The weights of one network: floating point as float32, integers as stored.

        Raises EngineError when the file is missing, truncated, not safetensors, or holds NaN or infinity.
        """
        path = self.folder / SECTION_FILES[name]
        if not path.is_file():
            raise EngineError(f"The model bundle {self.name} lacks {path.name}; install the bundle again.")
        try:
            tensors = read_safetensors(path)
        except (SafetensorError, *UNREADABLE) as error:
            raise EngineError(f"{path.name} of the bundle {self.name} is damaged or not a safetensors file.") from error
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise EngineError(f"{path.name} of the bundle {self.name} holds NaN or infinity in '{key}'.")
        return {key: t.float() if t.is_floating_point() else t for key, t in tensors.items()}

    def holds(self, name: str, key: str) -> bool:
        """Whether the file of a network has a tensor, without reading it; a file that cannot be read has none."""
        try:
            with safe_open(self.folder / SECTION_FILES[name], "pt") as file:
                return key in file.keys()
        except (SafetensorError, *UNREADABLE):
            return False

    def network(
        self, name: str, make: Callable[[], Network], tensors: dict[str, torch.Tensor] | None = None
    ) -> Network:
        """The network of section `name` with its weights, every key and shape checked before it is made.

        Raises EngineError when keys or shapes do not fit the section's config.
        """
        return build(make, self.tensors(name) if tensors is None else tensors, SECTION_FILES[name])

    def load_into(self, name: str, network: torch.nn.Module, tensors: dict[str, torch.Tensor] | None = None) -> None:
        """Put the weights of section `name` into `network`, every key and shape checked.

        Raises EngineError when keys or shapes do not fit the section's config.
        """
        try:
            network.load_state_dict(self.tensors(name) if tensors is None else tensors)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise EngineError(f"{SECTION_FILES[name]} does not fit the bundle's config.json: {reason}") from error


def is_bundle(folder: Path) -> bool:
    """Whether a folder holds a bundle's configuration, of any format."""
    try:
        return "format" in read_config(folder)
    except EngineError:
        return False


def read_config(folder: Path) -> dict:
    """`config.json` of a bundle folder as a dict. Raises EngineError when it is missing or no JSON object."""
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise EngineError(f"No model bundle in {folder}: config.json is missing. Name a bundle folder, or 'starter'.")
    if path.stat().st_size > LARGEST_JSON:
        raise EngineError(f"{path} is too large to be a bundle configuration; choose another bundle.")
    try:
        config = read_json(path)
    except UNREADABLE as error:
        raise EngineError(f"{path} is not valid JSON; install the bundle again.") from error
    if not isinstance(config, dict):
        raise EngineError(f"{path} does not describe a model bundle; install the bundle again.")
    return config


def merge_section(
    folder: str | Path,
    name: str,
    section: dict,
    tensors: dict[str, torch.Tensor],
    full_precision: Collection[str] = (),
) -> None:
    """Write one network into a bundle folder, other sections untouched; floating point is stored as fp16.

    folder: bundle folder, made when missing.
    name: a key of SECTION_FILES.
    section: keyword arguments of the network's config dataclass, JSON values.
    full_precision: keys of positions, which fp16 would round by up to 0.06 mm; they keep their type.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    *parents, last = name.split(".")

    def set_section(config: dict) -> None:
        place = config
        for key in parents:
            place = place.setdefault(key, {})
        place[last] = section

    stored = {
        key: (t.half() if t.is_floating_point() and key not in full_precision else t).contiguous().cpu()
        for key, t in tensors.items()
    }
    with replaced(folder / SECTION_FILES[name]) as part:
        save_file(stored, part)
    update_config(folder, set_section)


def update_config(folder: Path, change: Callable[[dict], None]) -> None:
    """Let `change` alter the configuration of a bundle folder in place; it is begun when there is none."""
    config = read_config(folder) if (folder / "config.json").is_file() else {"format": FORMAT, "name": folder.name}
    change(config)
    with replaced(folder / "config.json") as part:
        part.write_text(json.dumps(config, indent=1) + "\n", "utf-8")
