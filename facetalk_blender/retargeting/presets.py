"""A table of shape keys and channels as a JSON file, to use again for another shot of the same character."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from ...engine.shared.errors import EngineError
from ...engine.shared.files import replaced, reserved_name
from ...engine.shared.hostile_files import UNREADABLE, read_json
from .names import CHANNELS

FORMAT = 1
LARGEST_GAIN = 10.0


@dataclass(frozen=True)
class KeyLink:
    """A shape key that follows a channel, times `gain`."""

    key: str
    channel: str
    gain: float = 1.0


def preset_path(folder: Path, name: str) -> Path:
    """The file of a preset. Raises EngineError when the name would lead elsewhere or to nothing."""
    if not re.fullmatch(r"\w[\w .\-]{0,62}", name) or name.endswith((" ", ".")) or reserved_name(name):
        raise EngineError("A preset's name has letters, digits, spaces, - and _ only; choose another name.")
    return folder / f"{name}.json"


def preset_names(folder: Path) -> list[str]:
    """Names of the presets in a folder."""
    return sorted(path.stem for path in folder.glob("*.json"))


def save(path: Path, links: list[KeyLink]) -> None:
    """Write a preset; an earlier one of the name is replaced once the new one is complete."""
    content = json.dumps({"format": FORMAT, "links": [asdict(link) for link in links]}, indent=1)
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


def load(path: Path) -> list[KeyLink]:
    """The links of a preset. Raises EngineError when it is missing or no preset."""
    try:
        content = read_json(path)
        if content["format"] != FORMAT:
            raise ValueError("unknown format")
        links = [KeyLink(str(link["key"]), str(link["channel"]), float(link["gain"])) for link in content["links"]]
        if not all(link.channel in CHANNELS and 0 <= link.gain <= LARGEST_GAIN for link in links):
            raise ValueError("unknown channel or gain")
    except FileNotFoundError as error:
        raise EngineError(f"There is no preset {path.stem}; choose another.") from error
    except UNREADABLE as error:
        raise EngineError(f"{path.name} is not a readable preset; save it again.") from error
    return links
