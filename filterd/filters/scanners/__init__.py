"""Several virus scanners: settings, what they said, the filter."""
