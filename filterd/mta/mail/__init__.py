"""A message on its way through the MTA, as values and parsers.

Addresses and paths, the header section, the draft that filters may change, the entry in the queue,
and the client that it came from. What sendmail and Postfix do differently is in their own rooms.
"""
