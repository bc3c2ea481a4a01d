"""ClamAV by clamd alone: settings and the filter."""
