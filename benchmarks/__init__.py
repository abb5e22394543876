"""The speed of the whole line on real servers, each figure beside a peer's from the same run (see README.md)."""
