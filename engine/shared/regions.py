"""The regions of a head's surface, in the order in which the starter model names them, and its eyes' measures.

Standard library only: Blender's process reads it too.
"""

REGION_NAMES = ("skin", "lips", "sclera", "iris", "pupil", "teeth", "gums", "tongue", "mouth_cavity", "brows")
EYE_REGIONS = ("sclera", "iris", "pupil")
NECK = "neck"  # the region that geometry adds to those of the network

# Where iris and pupil end: degrees from the gaze, seen from the eyeball's centre. ICT-FaceKit's own pupil ends at 8.5
# degrees, a tenth of a millimetre earlier.
IRIS_ANGLE, PUPIL_ANGLE = 24.0, 9.0
