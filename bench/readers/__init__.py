"""What real mail readers show of the messages in `tests/hostile/tricks/pairs.py`."""
