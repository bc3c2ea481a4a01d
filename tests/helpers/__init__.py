"""What tests of several rooms share: sample messages, an SMTP client that talks line by line."""
