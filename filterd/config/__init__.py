"""Reading the settings file, and building from it what the settings describe."""
