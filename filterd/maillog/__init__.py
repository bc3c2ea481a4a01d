"""What the MTA's log says of deliveries: its lines, and the place that reads them."""
