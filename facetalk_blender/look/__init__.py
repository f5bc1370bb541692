"""How a head looks: attributes, materials, stage."""
