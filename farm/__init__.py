"""Many jobs on many processes or machines: fitting sequences, sampling takes, rendering videos."""
