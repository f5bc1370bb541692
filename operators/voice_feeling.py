"""Set what a performance is asked for from the voice."""

from __future__ import annotations

import bpy

from ..facetalk_blender.generation.job import Job
from ..facetalk_blender.generation.session import session
from ..facetalk_blender.generation.voice_feeling import VoiceFeeling
from ..facetalk_blender.settings.preferences import engine_choice
from ..facetalk_blender.settings.reasons import unready_reason
from ..facetalk_blender.sound import strip as sound_strip
from .running import JobOperator, can_run


class FACETALK_OT_performance_from_voice(JobOperator, bpy.types.Operator):
    """Set emotion and energy to what the chosen strip's voice sounds like, by rules on its pitch, brightness and pace;
    where it has several phrases, key them phrase by phrase. A place to begin: change them as you like"""

    bl_idname = "facetalk.performance_from_voice"
    bl_label = "From Voice"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Whether it can run now; the reason why not is the tooltip."""
        scene = context.scene
        return can_run(cls, unready_reason(context) or sound_strip.whole_problem(scene, scene.facetalk.strip))

    def start(self, context: bpy.types.Context) -> None:
        """Ask the engine."""
        scene = context.scene
        self._scene = scene.session_uid
        choice = engine_choice(context)
        strip = sound_strip.find_strip(scene, scene.facetalk.strip)
        session.set_job(VoiceFeeling(session.client(choice.python), strip, (choice.bundle, choice.device)))

    def report_done(self, job: Job) -> None:
        """Set the controls and show what was heard."""
        scene = next((scene for scene in bpy.data.scenes if scene.session_uid == self._scene), None)
        if scene is not None:
            phrases = [(phrase.start, phrase.end, phrase.controls) for phrase in job.phrases]
            scene.facetalk.performance.take_over(job.controls, phrases)
            scene.facetalk.performance.heard = job.text
        super().report_done(job)


CLASSES = (FACETALK_OT_performance_from_voice,)
