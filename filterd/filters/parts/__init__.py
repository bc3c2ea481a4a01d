"""Dangerous attachments: settings, what is banned, looking inside files, the filter."""
