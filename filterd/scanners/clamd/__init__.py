"""clamd: the package's client with what it lacks, sessions for small messages, statistics."""
