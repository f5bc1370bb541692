"""Sound strips as clips, and what follows them."""
