"""Allowed and blocked senders: settings, the list's file, the filter."""
