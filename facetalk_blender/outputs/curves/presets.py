"""What a character's keys, bones and rig properties follow, as a JSON file, to use again in another shot."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from math import radians
from pathlib import Path

from ....engine.shared.errors import EngineError
from ....engine.shared.files import replaced, reserved_name
from ....engine.shared.hostile_files import UNREADABLE, number, read_json
from ...retargeting.key_link import LARGEST_GAIN, KeyLink
from ...retargeting.names import CHANNELS
from .bones import AUTOMATIC, AXES, LARGEST_ANGLE, PARTS, BoneChoice
from .rig_properties import LARGEST_FACTOR, PropertyChoice

FORMAT = 2
KEYS_ALONE = 1  # the format that knew no bones and no properties
LONGEST_TEXT = 1024  # of a name or a data path


@dataclass(frozen=True)
class Preset:
    """The rows of a character, where an empty channel or bone says that a key, a property or a part is left alone.

    properties: None, like `bones`, in a preset that knew keys alone.
    use_bones: whether bones move at all.
    """

    links: tuple[KeyLink, ...]
    bones: tuple[BoneChoice, ...] | None = None
    properties: tuple[PropertyChoice, ...] | None = None
    use_bones: bool = True


def preset_path(folder: Path, name: str) -> Path:
    """The file of a preset. Raises EngineError when the name would lead elsewhere or to nothing."""
    if not re.fullmatch(r"\w[\w .\-]{0,62}", name) or name.endswith((" ", ".")) or reserved_name(name):
        raise EngineError("A preset's name has letters, digits, spaces, - and _ only; choose another name.")
    return folder / f"{name}.json"


def preset_names(folder: Path) -> list[str]:
    """Names of the presets in a folder."""
    return sorted(path.stem for path in folder.glob("*.json"))


def save(path: Path, preset: Preset) -> None:
    """Write a preset; an earlier one of the name is replaced once the new one is complete."""
    content = json.dumps({"format": FORMAT, **asdict(preset)}, indent=1)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as part:
            part.write_text(content + "\n", "utf-8")
    except OSError as error:
        raise EngineError(f"The preset cannot be written to {path.parent}; check that folder.") from error


def delete(path: Path) -> None:
    """Delete a preset. Raises EngineError when it is missing or held."""
    try:
        path.unlink()
    except FileNotFoundError as error:
        raise EngineError(f"There is no preset {path.stem}; choose another.") from error
    except OSError as error:
        raise EngineError(f"Cannot delete {path}; close programs that use it and try again.") from error


def load(path: Path) -> Preset:
    """A preset of this or the earlier format. Raises EngineError when it is missing or no preset."""
    try:
        content = read_json(path)
        if content["format"] not in (KEYS_ALONE, FORMAT):
            raise ValueError("unknown format")
        links = tuple(_link(row) for row in _rows(content, "links"))
        if content["format"] == KEYS_ALONE:
            return Preset(links)
        return Preset(
            links,
            tuple(_bone(row) for row in _rows(content, "bones")),
            tuple(_property(row) for row in _rows(content, "properties")),
            _flag(content, "use_bones"),
        )
    except FileNotFoundError as error:
        raise EngineError(f"There is no preset {path.stem}; choose another.") from error
    except UNREADABLE as error:
        raise EngineError(f"{path.name} is not a readable preset; save it again.") from error


def _rows(content: dict, name: str) -> list[dict]:
    rows = content[name]
    if not isinstance(rows, list):
        raise ValueError(f"{name} is no list")
    return rows


def _link(row: dict) -> KeyLink:
    return KeyLink(_text(row, "key"), _one_of(row, "channel", ("", *CHANNELS)), number(row, "gain", 0.0, LARGEST_GAIN))


def _bone(row: dict) -> BoneChoice:
    return BoneChoice(
        _text(row, "armature"),
        _one_of(row, "part", PARTS),
        _text(row, "bone"),
        _one_of(row, "axis", (AUTOMATIC, *AXES)),
        # A single float of 90 degrees lies a little above the double.
        number(row, "angle", 0.0, LARGEST_ANGLE + radians(0.01)),
    )


def _property(row: dict) -> PropertyChoice:
    gain = number(row, "gain", -LARGEST_FACTOR, LARGEST_FACTOR)
    return PropertyChoice(_text(row, "item"), _text(row, "path"), _one_of(row, "channel", ("", *CHANNELS)), gain)


def _text(row: dict, name: str) -> str:
    value = row[name]
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or "\0" in value:
        raise ValueError(f"{name} is no name")
    return value


def _one_of(row: dict, name: str, known: tuple[str, ...]) -> str:
    value = _text(row, name)
    if value not in known:
        raise ValueError(f"{name} is unknown")
    return value


def _flag(content: dict, name: str) -> bool:
    value = content[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value
