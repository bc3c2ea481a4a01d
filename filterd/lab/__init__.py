"""Trying filterd out: sample mail, programs started beside it, expected results."""
