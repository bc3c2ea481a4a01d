"""The trained classifier: settings, the filter."""
