"""Documents that were there before: read by ranges of ``_id``, beside the change stream."""
