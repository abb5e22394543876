"""The command line, and the one place where configuration becomes parts (``build``)."""
