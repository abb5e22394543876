"""The state database: runs, checkpoints, dead letters, schedules, metrics. The one door to SQL for the training side."""
