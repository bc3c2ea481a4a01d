"""Databases: SQLite files that several processes use, and PostgreSQL that several hosts share.

What is stored in them is for the rooms above: the quarantine's index, the history, the journal of
training. Each brings its tables and migrations as a `Schema`.
"""
