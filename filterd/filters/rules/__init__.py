"""SpamAssassin's rules: settings, loading, the filter."""
