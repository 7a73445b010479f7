"""How a trained model reads a text."""
