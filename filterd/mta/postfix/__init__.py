"""What is Postfix's own: filters and replies."""
