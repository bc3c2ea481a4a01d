"""Greylisting: mail of strangers is delayed once, and passes when it is sent again."""
