"""A message as SpamAssassin's rules see it: fields, relays, text, URIs. All text is octets."""
