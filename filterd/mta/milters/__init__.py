"""The MTA as a milter client, as far as sendmail and Postfix have it in common.

How a filter is configured, the connection to it with its time limits, what a session knows of it,
the macros it may ask for, what the filters answer together (`answers`), and how their edits change
a draft. `scripted` is a filter for tests that can misbehave.
"""
