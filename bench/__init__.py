"""Measurements: `python -m bench` (speed and memory beside other filters), and scripts."""
