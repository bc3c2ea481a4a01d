"""The state that processes and hosts share."""
