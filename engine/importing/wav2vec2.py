"""Public wav2vec 2.0 weights -> the speech encoder of a bundle.

Hugging Face folders (config.json with model.safetensors or pytorch_model.bin) and FaceFormer's checkpoint files, whose
encoder lies under `audio_encoder.`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from ..bundle import Bundle, merge_section, update_config
from ..motion.speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from ..network_building import MISFITS, build
from ..shared.errors import Cancelled, EngineError
from ..shared.hostile_files import UNREADABLE, read_json
from .checkpoint import named_tensors, read_checkpoint
from .recognise import WEIGHT_FILES
from .staging import staged_bundle

PARTS = ("feature_extractor.", "feature_projection.", "encoder.")
PREFIXES = ("audio_encoder.", "wav2vec2.")
WEIGHT_NORM = {".weight_g": ".parametrizations.weight.original0", ".weight_v": ".parametrizations.weight.original1"}
LICENCE = "wav2vec 2.0 weights that you supplied: terms of their authors (facebook/wav2vec2-base-960h: Apache-2.0)"


def import_wav2vec2(
    source: str | Path,
    output: str | Path,
    *,
    config: str | Path | None = None,
    replace: bool = False,
    add: bool = False,
    progress: Callable[[str, float], None] = lambda _stage, _fraction: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Bundle:
    """Make a bundle with a speech encoder; weights keep their full precision.

    source, config: see `import_speech_encoder`; replace, add: see `staged_bundle`.
    progress: called with a stage's name and 0..1; cancelled: asked between stages.

    Raises EngineError when anything is missing, damaged or does not fit; then nothing is written.
    """

    def stage(text: str, fraction: float) -> None:
        if cancelled():
            raise Cancelled
        progress(text, fraction)

    output = Path(output).absolute()

    def describe(described: dict) -> None:
        described["name"] = output.name
        described.setdefault("licences", {})["speech"] = LICENCE

    with staged_bundle(output, replace, add) as folder:
        stage("Reading weights", 0.0)
        encoder = import_speech_encoder(source, None if config is None else read_sizes(Path(config)))
        stage("Writing the bundle", 0.5)
        tensors = encoder.state_dict()
        merge_section(folder, "speech", asdict(encoder.config), tensors, full_precision=tensors)
        update_config(folder, describe)
        stage("Checking the bundle", 0.8)
        load_speech_encoder(Bundle.open(folder))
        stage("Done", 1.0)
    return Bundle.open(output)


def import_speech_encoder(path: str | Path, config: SpeechConfig | None = None) -> SpeechEncoder:
    """A speech encoder from public wav2vec 2.0 weights, in evaluation mode.

    path: a Hugging Face folder or a checkpoint file.
    config: sizes for a checkpoint file, which has none of its own; when not given, those of a config.json beside it,
        else wav2vec2-base's.
    Raises EngineError when files are missing, damaged or do not fit the sizes.
    """
    path = Path(path)
    if path.is_dir():
        config = read_sizes(path / "config.json")
        present = [path / name for name in WEIGHT_FILES if (path / name).is_file()]
        if not present:
            raise EngineError(f"{path} holds neither {' nor '.join(WEIGHT_FILES)}; choose a Hugging Face model folder.")
        path = present[0]
    elif config is None and (path.parent / "config.json").is_file():
        config = read_sizes(path.parent / "config.json")
    tensors = named_tensors(_canonical_names(read_checkpoint(path)), path)
    sizes = config or SpeechConfig()
    try:
        return build(lambda: SpeechEncoder(sizes), tensors, path.name).eval()
    except EngineError as error:
        raise EngineError(f"{path} does not fit the speech model's sizes: {error}") from error
    except MISFITS as error:
        raise EngineError(f"{path} has sizes that make no speech model; choose another.") from error


def read_sizes(path: Path) -> SpeechConfig:
    """The sizes in a Hugging Face `config.json`. Raises EngineError when it is missing or describes no speech model."""
    try:
        sizes = read_json(path)
        if not isinstance(sizes, dict):
            raise TypeError
        return SpeechConfig.from_hugging_face(sizes)
    except UNREADABLE as error:
        raise EngineError(f"{path} is not a wav2vec 2.0 configuration; choose a Hugging Face model folder.") from error


def _canonical_names(weights: dict) -> dict[str, Tensor]:
    """Entries under the names that `SpeechEncoder` has, from any public spelling; heads of other tasks are dropped."""
    canonical = {}
    for name, tensor in weights.items():
        if not isinstance(name, str):
            continue
        for prefix in PREFIXES:
            name = name.removeprefix(prefix)
        for old, new in WEIGHT_NORM.items():
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name.startswith(PARTS):
            canonical[f"wav2vec2.{name}"] = tensor
    return canonical
