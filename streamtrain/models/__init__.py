"""Models that learn online, a slice at a time. ``registry.build`` makes one by name."""
