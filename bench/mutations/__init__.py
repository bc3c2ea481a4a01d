"""Do the tests notice it when the code is wrong? See `__main__`."""
