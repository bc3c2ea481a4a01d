"""Attaching an MTA: what has to change, as a plan that is shown, carried out, and taken back."""
