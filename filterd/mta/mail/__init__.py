"""What the MTA knows of a message: addresses, header, envelope, and the client it came from.

Values and parsers; no other room of the MTA is imported.
"""
