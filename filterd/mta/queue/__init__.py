"""The queue: spool files, attempts, bounces."""
