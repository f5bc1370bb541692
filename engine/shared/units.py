"""The rates and lengths that every part of the project agrees on."""

SAMPLE_RATE = 16000  # Hz, of every waveform that is listened to (wav2vec 2.0)
CODE_RATE = 24.0  # Hz, of expression codes (FaceTalk, section 4)
METRES_PER_UNIT = 0.25  # of the NPHM family's model units
MILLIMETRES_PER_UNIT = 1000.0 * METRES_PER_UNIT
UNITS_PER_MILLIMETRE = 1.0 / MILLIMETRES_PER_UNIT
