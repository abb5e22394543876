"""Snapshots read in chunks beside the stream: exact, resumable at the chunk, without locks on tables with a key.

After DBLog (https://arxiv.org/abs/2010.12597), with watermarks that are read and not written, and chunks that are merged
with the log up to their upper watermark instead of losing what changed meanwhile.
"""
