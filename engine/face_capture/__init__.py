"""A talking face from one camera: face points of a video, and the weights of a head that moves alike.

`video` and `landmarker` need the packages av and mediapipe; the rest needs NumPy and SciPy alone.
"""
