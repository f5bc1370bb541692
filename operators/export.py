"""Export what speaks the chosen sound strip: one operator for each kind of file, so that each says why it cannot."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ExportHelper

from ..engine.shared.errors import EngineError
from ..facetalk_blender.exchange import exporting
from ..facetalk_blender.exchange.formats import FORMATS
from ..facetalk_blender.exchange.subjects import subjects
from ..facetalk_blender.sound.strip_link import STRIP_PROPERTY
from .running import can_run

WHOLE_CHARACTER = bpy.props.BoolProperty(
    name="Whole Character",
    description="Also what is shown and bound to the same armature or lies in the same collection, as body and hair",
    default=True,
)


class _Export(ExportHelper):
    """Shared by the kinds of files; `kind` is a key of FORMATS."""

    kind: str
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can be written now; the reason why not is the tooltip."""
        reason = exporting.problem(cls.kind, _subjects(context), _take(context))
        if context.mode != "OBJECT":
            reason = "Exporting works in Object Mode only; leave the other mode."
        return can_run(cls, reason)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Choose the file; the strip's name is proposed."""
        if not self.filepath:
            self.filepath = bpy.path.clean_name(context.scene.facetalk.strip) + self.filename_ext
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Write the file."""
        scene, path = context.scene, Path(bpy.path.abspath(self.filepath))
        try:
            whole = bool(FORMATS[self.kind].operator) and self.whole_character
            exporting.export(self.kind, path, scene, scene.facetalk.strip, _subjects(context), _take(context), whole)
        except EngineError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {path.name}")
        return {"FINISHED"}


def _subjects(context: bpy.types.Context) -> list[bpy.types.Object]:
    return subjects(context.scene, context.scene.facetalk.strip, context.view_layer.objects.active)


def _take(context: bpy.types.Context) -> bpy.types.Text | None:
    """The chosen take, when it is one of the chosen strip."""
    text = context.scene.facetalk.chosen_take()
    return text if text is not None and text[STRIP_PROPERTY] == context.scene.facetalk.strip else None


def _operator(kind: str) -> type:
    chosen = FORMATS[kind]
    members = {
        "__doc__": f"{chosen.description}. Over the scene's frame range",
        "__module__": __name__,
        "__annotations__": {
            "filter_glob": bpy.props.StringProperty(default=f"*{chosen.suffix}", options={"HIDDEN"}),
        }
        | ({"whole_character": WHOLE_CHARACTER} if chosen.operator else {}),
        "bl_idname": f"facetalk.export_{kind}",
        "bl_label": f"Export {chosen.label}",
        "filename_ext": chosen.suffix,
        "kind": kind,
    }
    return type(f"FACETALK_OT_export_{kind}", (_Export, bpy.types.Operator), members)


CLASSES = tuple(_operator(kind) for kind in FORMATS)
