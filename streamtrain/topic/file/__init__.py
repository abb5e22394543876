"""Topics in a directory: no server, transactions by one commit log, readers follow it.

    DIRECTORY/commits              one line a change of state: opened, created, committed, trimmed (commits.py)
    DIRECTORY/TOPIC/PARTITION.log  the partition's records, one frame each (records.py)

A transaction is appended to the data files it touches, these are flushed, then one line is appended to ``commits`` and
flushed. Readers see what a line covers and nothing else, so whatever lies beyond is cut off by the next writer.
"""

from streamtrain.topic.file.reader import FileReader
from streamtrain.topic.file.writer import FileWriter

__all__ = ["FileReader", "FileWriter"]
