"""How a bundle moves to voices that it was not trained on."""
