"""The filter `strictness`: how strict recipients want their spam filter."""
