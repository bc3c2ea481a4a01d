"""What reviewers do with kept mail, and who may do what."""
