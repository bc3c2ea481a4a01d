"""Judging stored mail again, twice, and telling what came out differently.

A *side* is what judges: the chain of some settings in this process, or a running daemon that is
asked over the milter protocol as an MTA would ask it. Two sides get the same messages with the
same envelopes, so that what differs is the settings' doing.
"""
