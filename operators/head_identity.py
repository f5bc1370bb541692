"""Choose whose head speaks: at random, from a preset, from a file; keep it in a file; look at it."""

from __future__ import annotations

import os
import random
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.io_utils import ExportHelper, ImportHelper

from ..engine.shared.errors import EngineError
from ..engine.shared.files import replaced
from ..engine.shared.hostile_files import UNREADABLE, read_npy
from ..engine.shared.protocol import Message
from ..facetalk_blender.generation import head_preview, head_questions
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.settings.head import PRESETS
from ..facetalk_blender.settings.preferences import engine_choice
from .running import can_run

LARGEST_SEED = 99999
LARGEST_CODE_BYTES = 1 << 20


class _NeedsIdleEngine:
    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, session.busy_reason())


class FACETALK_OT_random_head(_NeedsIdleEngine, bpy.types.Operator):
    """Take another random head. Its number is kept as the head seed; the sliders go back to zero"""

    bl_idname = "facetalk.random_head"
    bl_label = "Random Head"
    bl_options = {"REGISTER", "UNDO"}

    seed: bpy.props.IntProperty(name="Seed", description="Number of the head", min=0, max=LARGEST_SEED)

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Draw a seed."""
        self.seed = random.randint(1, LARGEST_SEED)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the head of the seed."""
        context.scene.facetalk_head.set_controls({})
        context.scene.facetalk.head = "RANDOM"
        context.scene.facetalk.head_seed = self.seed
        return {"FINISHED"}


class FACETALK_OT_head_preset(_NeedsIdleEngine, bpy.types.Operator):
    """Start from the average head and set the sliders to this look"""

    bl_idname = "facetalk.head_preset"
    bl_label = "Head Preset"
    bl_options = {"REGISTER", "UNDO"}

    preset: bpy.props.EnumProperty(name="Preset", items=[(name, name, "") for name in PRESETS])

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the sliders."""
        context.scene.facetalk.head = "MEAN"
        context.scene.facetalk_head.set_controls(PRESETS[self.preset])
        return {"FINISHED"}


class FACETALK_OT_reset_head(_NeedsIdleEngine, bpy.types.Operator):
    """Go back to the average head: all sliders to zero"""

    bl_idname = "facetalk.reset_head"
    bl_label = "Reset Head"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reset the base and the sliders; colours stay."""
        context.scene.facetalk.head = "MEAN"
        context.scene.facetalk_head.set_controls({})
        return {"FINISHED"}


class FACETALK_OT_preview_head(_NeedsIdleEngine, bpy.types.Operator):
    """Show a still head at the 3D cursor that follows the sliders, or remove it. It never renders"""

    bl_idname = "facetalk.preview_head"
    bl_label = "Show Head While Editing"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add or remove the preview."""
        if head_preview.find(context.scene) is None:
            head_preview.add(context.scene, engine_choice)
        else:
            head_preview.remove(context.scene)
        return {"FINISHED"}


class FACETALK_OT_load_identity(_NeedsIdleEngine, bpy.types.Operator, ImportHelper):
    """Take the head of an identity code in a file (.npy)"""

    bl_idname = "facetalk.load_identity"
    bl_label = "Load Head"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default="*.npy", options={"HIDDEN"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Check the file and choose it."""
        reason = identity_file_problem(Path(bpy.path.abspath(self.filepath)))
        if reason:
            self.report({"ERROR"}, reason)
            return {"CANCELLED"}
        context.scene.facetalk_head.set_controls({})
        context.scene.facetalk.head_file = self.filepath
        context.scene.facetalk.head = "FILE"
        return {"FINISHED"}


class FACETALK_OT_save_identity(_NeedsIdleEngine, bpy.types.Operator, ExportHelper):
    """Keep the identity code of this head, sliders included, in a file (.npy)"""

    bl_idname = "facetalk.save_identity"
    bl_label = "Save Head"

    filename_ext = ".npy"
    filter_glob: bpy.props.StringProperty(default="*.npy", options={"HIDDEN"})
    overwrite: bpy.props.BoolProperty(
        name="Overwrite", description="Replace a file of this name", options={"HIDDEN", "SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Open the file dialog, which asks before a file is replaced."""
        self.overwrite = True
        return ExportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Ask the engine for the code; it is written when it comes."""
        path = Path(bpy.path.abspath(self.filepath))
        outcome: list[str] = []

        def write(message: Message | None, why: str) -> None:
            outcome.append(why if message is None else _write_code(path, message.arrays["code"]))
            session.preview.problem = outcome[0]

        try:
            _check_target(path, self.overwrite)
            head_questions.ask(engine_choice(context), context.scene.facetalk.identity(), False, write)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if outcome and outcome[0]:
            self.report({"ERROR"}, outcome[0])
            return {"CANCELLED"}
        return {"FINISHED"}


def identity_file_problem(path: Path) -> str:
    """Why a file cannot be an identity code, in one sentence that names the fix; empty when it can."""
    advice = "choose a .npy file that was saved as a head."
    try:
        if path.stat().st_size > LARGEST_CODE_BYTES:
            return f"{path.name} is too large to be an identity code; {advice}"
        code = read_npy(path, LARGEST_CODE_BYTES)
    except FileNotFoundError:
        return f"There is no file {path.name}; {advice}"
    except UNREADABLE:
        return f"{path.name} is not a readable identity code; {advice}"
    if code.ndim != 1 or code.dtype.kind not in "fiu" or not np.isfinite(code).all():
        return f"{path.name} is not a list of finite numbers; {advice}"
    return ""


def _check_target(path: Path, overwrite: bool) -> None:
    if path.suffix.lower() != ".npy":
        raise EngineError(f"The name {path.name} must end in .npy.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise EngineError(f"Cannot write to the folder {path.parent}; choose another one.")
    if path.is_dir() or (path.exists() and not overwrite):
        raise EngineError(f"{path.name} exists already; choose another name.")


def _write_code(path: Path, code: np.ndarray) -> str:
    """Write a code; the old file is replaced once the new one is complete. Returns what went wrong, if anything."""
    try:
        with replaced(path) as part, part.open("wb") as file:
            np.save(file, np.ascontiguousarray(code, np.float32), allow_pickle=False)
    except OSError as error:
        return f"Cannot write {path.name} ({error.strerror}); choose another folder."
    return ""


CLASSES = (
    FACETALK_OT_random_head,
    FACETALK_OT_head_preset,
    FACETALK_OT_reset_head,
    FACETALK_OT_preview_head,
    FACETALK_OT_load_identity,
    FACETALK_OT_save_identity,
)
