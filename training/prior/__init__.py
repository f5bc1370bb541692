"""Motion to learn from: the stochastic articulation prior, and captured mouths."""
