"""A message under way in the MTA: envelope, header, addresses, client."""
