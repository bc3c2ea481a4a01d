"""What is sendmail's own: filters, header, replies, queue ids, routing."""
