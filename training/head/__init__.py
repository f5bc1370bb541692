"""Training of the starter's head on ICT-FaceKit: samples, networks, template, controls."""
