"""From a recording to expression codes: audio, speech features, decoder, diffusion, and what refines a take."""
