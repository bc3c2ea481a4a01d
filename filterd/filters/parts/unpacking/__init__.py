"""What is inside attachments: file types by content, archives, TNEF, documents, judged names."""
