"""A report by mail for admins: what came in a day or a week, what waits, how filters did."""
