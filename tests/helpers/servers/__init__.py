"""Real servers, each in a folder of its own, on loopback, stopped again without a trace."""
