"""Notices by mail and webhooks about what happens: held mail, viruses, filters that fail."""
