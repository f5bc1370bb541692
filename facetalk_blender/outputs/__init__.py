"""What a generation writes into the scene. Every output has prepare(), write() and finish()."""
