"""Comparisons of short trainings: the paper's ablations, and cross-validation on captured mouths."""
