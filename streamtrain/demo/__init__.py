"""``streamtrain demo``: traffic, the run, and its report."""
