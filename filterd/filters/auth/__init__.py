"""Who sent a message: settings, the checks of one message, what their results mean."""
