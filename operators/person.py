"""Draw a person."""

from __future__ import annotations

import random

import bpy

from ..facetalk_blender.generation.session import session
from ..facetalk_blender.person.persons import LARGEST_SEED, drawn_person
from ..facetalk_blender.settings import person
from .running import can_run


class FACETALK_OT_random_person(bpy.types.Operator):
    """Draw head, skin, eyes, hair and beard that fit each other. Hair and colours change on this head at once"""

    bl_idname = "facetalk.random_person"
    bl_label = "Random Person"
    bl_options = {"REGISTER", "UNDO"}

    seed: bpy.props.IntProperty(name="Seed", description="Number of the person", min=0, max=LARGEST_SEED)

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        return can_run(cls, session.busy_reason())

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Draw a seed."""
        self.seed = random.randint(1, LARGEST_SEED)
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Take the person of the seed."""
        context.scene.facetalk_person.person = person.OWN
        person.apply(context.scene, drawn_person(self.seed))
        return {"FINISHED"}


CLASSES = (FACETALK_OT_random_person,)
