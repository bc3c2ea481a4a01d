"""SpamAssassin's rule language: read, compiled, and asked about messages."""
