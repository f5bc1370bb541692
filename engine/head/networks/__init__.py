"""The networks of the NPHM family, and the smoothing of their expressions."""
