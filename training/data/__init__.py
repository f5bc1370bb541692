"""The speech data that the trainings use, built by one command: recordings, text-to-speech voices, phone labels.

python -m training.data --data DATA --output CACHE
"""
