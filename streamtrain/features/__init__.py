"""Rows as JSON values -> dense and hashed features, learned online. numpy only, so that it also runs without torch."""
