"""Training of the starter model from data that it may use."""
