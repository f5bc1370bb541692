"""The style Theatre, as a preset of Blender's."""

import bpy

style = bpy.context.scene.facetalk.style

style.articulation = 1.4
style.jaw = 1.35
style.smile = 1.3
style.brows = 1.6
style.blinks = 1.0
style.gaze = 1.2
style.head_motion = 1.4
style.smooth = 0.0
