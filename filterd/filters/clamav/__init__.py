"""ClamAV: settings, clamd's protocol, what it said, the filter."""
