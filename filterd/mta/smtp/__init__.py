"""The SMTP server's side: commands, states, replies, AUTH, message data."""
