"""All that a site has, in one archive while the daemon runs, and back from it."""
