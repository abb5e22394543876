"""Sources of committed changes, and the relay that publishes them. Knows nothing of training and never loads torch."""
