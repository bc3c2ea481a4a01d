"""SpamAssassin's configuration files: lines, conditions, rules, scores and options."""
