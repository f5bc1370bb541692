"""The style Calm, as a preset of Blender's."""

import bpy

style = bpy.context.scene.facetalk.style

style.articulation = 0.85
style.jaw = 0.9
style.smile = 1.0
style.brows = 0.7
style.blinks = 1.0
style.gaze = 0.7
style.head_motion = 0.7
style.smooth = 0.04
