"""Make the page of a study, and count its answers."""

from __future__ import annotations

import csv
import json
import math
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_json
from farm.job import whole_folder

HERE = Path(__file__).parent
QUESTIONS = ("Overall quality", "Lip synchronization", "Realistic facial movement")
ENDINGS = {".mp4", ".webm", ".m4v"}
PAPER_METHODS, PAPER_CLIPS = 8, 15
COLUMNS = ["participant", "clip", "question", "choice", "seconds"]
MOST_BYTES = 4 << 20  # of a file of answers


def make_study(methods: dict[str, Path], output: Path, seed: int) -> int:
    """Write `output/page`, to be put on any web server or handed out, and `output/key.json`; the number of clips.

    methods: folder of videos by method; the clips are the videos that all have by the same names. On the page they are
    Method 1, 2, ... in another order for each clip, and no file's name tells the method.

    Raises EngineError when there are fewer than two methods or no common videos.
    """
    videos = {name: _videos(folder) for name, folder in methods.items()}
    if len(videos) < 2:
        raise EngineError("A study compares at least two methods; give --method NAME=FOLDER for each.")
    clips = sorted(set.intersection(*(set(found) for found in videos.values())))
    if not clips:
        raise EngineError("The folders have no video of one name in common; name each clip alike for all methods.")
    generator = random.Random(seed)
    key: dict[str, list[str]] = {}
    page: list[dict] = []
    with whole_folder(output) as part:
        (part / "page" / "videos").mkdir(parents=True)
        for number, clip in enumerate(clips, start=1):
            order = generator.sample(sorted(videos), len(videos))
            files = [f"videos/{generator.getrandbits(64):016x}{videos[name][clip].suffix}" for name in order]
            for name, file in zip(order, files, strict=True):
                shutil.copyfile(videos[name][clip], part / "page" / file)
            key[f"clip {number}"] = order
            page.append({"name": f"clip {number}", "videos": files})
        study = json.dumps({"name": f"{generator.getrandbits(32):08x}", "clips": page})
        text = (HERE / "page.html").read_text("utf-8").replace("/*STUDY*/null", study.replace("<", "\\u003c"))
        (part / "page" / "index.html").write_text(text, "utf-8")
        shutil.copyfile(HERE / "study.js", part / "page" / "study.js")
        named = {f"clip {number}": clip for number, clip in enumerate(clips, start=1)}
        (part / "key.json").write_text(json.dumps({"methods": key, "clips": named}, indent=1) + "\n", "utf-8")
    return len(clips)


def count_answers(key_file: Path, files: Sequence[Path]) -> dict:
    """Votes by question and method, and the number of participants.

    Raises EngineError for a key or a file of answers that is none, also when a participant answered a clip twice.
    """
    key = _key(key_file)
    names = sorted({name for order in key.values() for name in order})
    votes: dict[str, Counter[str]] = {question: Counter(dict.fromkeys(names, 0)) for question in QUESTIONS}
    seen: set[tuple[str, str, str]] = set()
    for file in files:
        for row in _answers(file):
            clip, question, choice = row["clip"], row["question"], row["choice"]
            order = key.get(clip, [])
            if question not in votes or not choice.isdecimal() or not 1 <= int(choice) <= len(order):
                raise EngineError(f"{file} has an answer that the study does not know; give the key of its own study.")
            place = (row["participant"], clip, question)
            if place in seen:
                raise EngineError(f"{row['participant']} answers {clip} twice, again in {file}; leave one file out.")
            seen.add(place)
            votes[question][order[int(choice) - 1]] += 1
    participants = len({participant for participant, _, _ in seen})
    return {"participants": participants, "votes": {question: dict(counter) for question, counter in votes.items()}}


def wilson(hits: int, total: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson's), (0, 1) where nobody was asked."""
    if not total:
        return 0.0, 1.0
    z, share = 1.959964, hits / total
    middle, spread = share + z * z / (2 * total), z * math.sqrt(share * (1 - share) / total + z * z / (4 * total**2))
    return (middle - spread) / (1 + z * z / total), (middle + spread) / (1 + z * z / total)


def _videos(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise EngineError(f"There is no folder {folder}; name the videos of a method.")
    return {path.stem: path for path in sorted(folder.iterdir()) if path.suffix.lower() in ENDINGS}


def _key(path: Path) -> dict[str, list[str]]:
    try:
        value = read_json(path)
        orders = value["methods"]  # type: ignore[index]  # whatever else it is ends below
        return {str(clip): [str(name) for name in order] for clip, order in orders.items()}
    except UNREADABLE as error:
        raise EngineError(
            f"{path} is not the key of a study; give the key.json that was made with its page."
        ) from error


def _answers(path: Path) -> list[dict[str, str]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("too large")
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
    except (OSError, ValueError, csv.Error) as error:
        raise EngineError(f"{path} is not a readable CSV of answers; save it again from the page.") from error
    if reader.fieldnames != COLUMNS or any(None in row.values() or None in row for row in rows):
        raise EngineError(f"{path} has not the columns of a study's answers; save it again from the page.")
    return rows
