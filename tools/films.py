"""Six films of ten seconds: joy, anger, sadness, neutral talk, a question, silence; four pictures a second to look at.

    python tools/films.py --data DATA --output FOLDER [--strip docs/images/films.jpg] [--only joy,silence] [-- OPTIONS]

For each there are NAME.wav, NAME.mp4 and NAME.jpg, whose pictures have the sound's level below them, red where one of
its pitch accents lies. --strip writes a row of pictures for each film. What follows `--` goes to the batch run,
e.g. `--size 480x480 --samples 16`; with `--fps 4` nothing but these pictures is rendered. Sounds are actors of
DATA/emodb, where it is there, LJ Speech, and a question by Kokoro; they are for looking, not for publishing. Finished
films are kept.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import soundfile
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.motion import audio  # noqa: E402
from engine.motion.prosody import LEVEL, accents, prosody  # noqa: E402
from engine.shared.units import CODE_RATE, SAMPLE_RATE  # noqa: E402

SECONDS, PAUSE = 10.0, 0.5
ASKED = {
    "joy": ["--emotion", "joy=0.9", "--energy", "0.4"],
    "anger": ["--emotion", "anger=0.9", "--energy", "0.6"],
    "sadness": ["--emotion", "sadness=0.9", "--energy", "-0.5"],
    "neutral": [],
    "question": [],
    "silence": [],
}
# Of EmoDB: an actress who was recognised well; the letter says what she plays.
ACTRESS, PLAYED = "08", {"joy": "F", "anger": "W", "sadness": "T"}
LJ = ("LJ001-0002", "LJ001-0004", "LJ001-0007", "LJ001-0008")
QUICK = ("--head-output", "shape-keys", "--size", "240x240", "--samples", "6", "--framing", "close-up")
LOOKED_AT, TILE, COLUMNS, BAR = 4, 120, 10, 14  # pictures a second to look at; of their sheet
STRIP_TILES, STRIP_TILE = 9, 150
LEVEL_COLOUR, ACCENT_COLOUR, PAPER = (110, 160, 200), (220, 60, 50), (18, 18, 20)


def sound_of(name: str, data: Path) -> np.ndarray:
    """Samples (S,) at 16 kHz of a film."""
    if name == "silence":
        return np.zeros(round(SECONDS * SAMPLE_RATE), np.float32)
    if name == "question":
        labels = json.loads((data / "kokoro" / "labels.json").read_text("utf-8"))
        asking = sorted(key for key, label in labels.items() if label["text"].rstrip().endswith("?"))
        english = [key for key in asking if labels[key]["language"].startswith("en")]
        return _joined([data / "kokoro" / "audio" / f"{key}.opus" for key in english or asking])
    actress = sorted((data / "emodb" / "audio").glob(f"{ACTRESS}???{PLAYED.get(name, 'N')}?.flac"))
    if name in PLAYED and actress:
        return _joined(actress)
    return _joined([data / "speech" / "lj32" / f"{key}.opus" for key in LJ])


def _joined(paths: list[Path]) -> np.ndarray:
    """Recordings one after the other, as many as fit in whole."""
    pieces, length = [np.zeros(round(PAUSE * SAMPLE_RATE), np.float32)], PAUSE
    for path in paths:
        samples = audio.load(path)
        samples = samples * np.float32(0.06 / (samples.std() + 1e-6))
        seconds = len(samples) / SAMPLE_RATE + PAUSE
        if length + seconds > SECONDS and length > SECONDS / 2:
            continue
        pieces += [samples, np.zeros(round(PAUSE * SAMPLE_RATE), np.float32)]
        length += seconds
    whole = np.concatenate(pieces)[: round(SECONDS * SAMPLE_RATE)]
    return np.pad(whole, (0, round(SECONDS * SAMPLE_RATE) - len(whole)))


def pictures_of(film: Path) -> tuple[list[Image.Image], float]:
    """All pictures of a film, and how many there are in a second."""
    with av.open(str(film)) as container:
        rate = float(container.streams.video[0].average_rate)
        return [frame.to_image() for frame in container.decode(video=0)], rate


def sheet_of(pictures: list[Image.Image], rate: float, samples: np.ndarray) -> Image.Image:
    """LOOKED_AT pictures a second, each with the level of its sound from then on and a mark for an accent."""
    count = round(len(pictures) / rate * CODE_RATE)
    heard = prosody(samples, count)
    moments = accents(heard)[0] * CODE_RATE
    shown = pictures[:: max(round(rate / LOOKED_AT), 1)]
    bars = round(CODE_RATE / LOOKED_AT)
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * TILE, rows * (TILE + BAR)), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, picture in enumerate(shown):
        left, top = index % COLUMNS * TILE, index // COLUMNS * (TILE + BAR)
        sheet.paste(picture.resize((TILE, TILE)), (left, top))
        for place in range(bars):
            frame = index * bars + place
            if frame >= count:
                break
            x, width = left + place * TILE // bars, TILE // bars - 2
            height = round((BAR - 2) * float(np.clip(heard[frame, LEVEL], 0, 1)))
            colour = ACCENT_COLOUR if np.any(np.abs(moments - frame) <= 0.5) else LEVEL_COLOUR
            draw.rectangle((x, top + TILE + BAR - 1 - height, x + width, top + TILE + BAR - 1), fill=colour)
    return sheet


def strip_of(films: dict[str, list[Image.Image]]) -> Image.Image:
    """A row of pictures for each film, its name in the first."""
    strip = Image.new("RGB", (STRIP_TILES * STRIP_TILE, len(films) * STRIP_TILE), PAPER)
    draw = ImageDraw.Draw(strip)
    for row, (name, pictures) in enumerate(films.items()):
        places = np.linspace(0.06, 0.94, STRIP_TILES) * (len(pictures) - 1)
        for column, place in enumerate(places.round().astype(int)):
            strip.paste(pictures[place].resize((STRIP_TILE, STRIP_TILE)), (column * STRIP_TILE, row * STRIP_TILE))
        draw.text((6, row * STRIP_TILE + 4), name, fill=(235, 235, 235))
    return strip


def render(name: str, wav: Path, film: Path, batch: list[str]) -> None:
    """Have the batch run make a film."""
    command = [sys.executable, str(ROOT / "facetalk_blender" / "batch.py"), "--", "--audio", str(wav)]
    subprocess.run([*command, "--output", str(film), *QUICK, *ASKED[name], *batch], check=True)


def main() -> int:
    """Command line."""
    words = sys.argv[1:]
    batch = words[words.index("--") + 1 :] if "--" in words else []
    parser = argparse.ArgumentParser("tools/films.py", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for films and pictures")
    parser.add_argument("--strip", type=Path, help="picture of all films to write")
    parser.add_argument("--only", default=",".join(ASKED), help="names of films, with commas (default: all)")
    options = parser.parse_args(words[: words.index("--")] if "--" in words else words)
    options.output.mkdir(parents=True, exist_ok=True)
    films = {}
    for name in options.only.split(","):
        if name not in ASKED:
            parser.error(f"'{name}' is no film; there are {', '.join(ASKED)}")
        wav, film = options.output / f"{name}.wav", options.output / f"{name}.mp4"
        samples = sound_of(name, options.data)
        soundfile.write(wav, samples, SAMPLE_RATE)
        if not film.is_file():
            render(name, wav, film, batch)
        films[name], rate = pictures_of(film)
        sheet_of(films[name], rate, samples).save(options.output / f"{name}.jpg", quality=85)
    if options.strip:
        strip_of(films).save(options.strip, quality=85)
    return 0


if __name__ == "__main__":
    sys.exit(main())
