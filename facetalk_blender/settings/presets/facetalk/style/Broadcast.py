"""The style Broadcast, as a preset of Blender's."""

import bpy

style = bpy.context.scene.facetalk.style

style.articulation = 1.2
style.jaw = 1.05
style.smile = 1.15
style.brows = 1.0
style.blinks = 0.9
style.gaze = 0.5
style.head_motion = 0.8
style.smooth = 0.0
