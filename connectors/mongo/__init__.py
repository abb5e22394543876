"""MongoDB: documents and change events as bytes, and what they mean."""
