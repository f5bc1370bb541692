"""Hair, beards, brows and lashes: strands made with NumPy, hair curves that stock nodes keep on the skin."""
