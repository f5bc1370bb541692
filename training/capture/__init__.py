"""From recordings of talking people to a dataset of expression codes: what the paper's section 5 and supplement D do.

Lengths of captures are metres, cameras look along +z with y down (OpenCV), and a pixel's centre lies at half a pixel.
"""
