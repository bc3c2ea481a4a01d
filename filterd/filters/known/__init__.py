"""Known senders: people to whom this site has written, and replies to what it sent."""
