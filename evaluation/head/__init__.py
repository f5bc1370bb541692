"""How far a bundle's head is from the heads it was not trained on."""
