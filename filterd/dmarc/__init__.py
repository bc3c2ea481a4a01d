"""DMARC aggregate reports (RFC 9990): made of the history and sent to those who ask, and those
that others sent about us, read and explained."""
