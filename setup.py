"""The parts in C. They are optional: without a compiler the package installs all the same, and does their work in Python."""

from setuptools import Extension, setup

NAMES = (
    "connectors._document_json",
    "connectors._row_json",
    "connectors.mongo._change_event",
    "connectors.mongo._delta",
    "connectors.mongo._extended_json",
    "connectors.mongo._raw_bson",
    "connectors.mysql._cells",
    "connectors.mysql.binlog._plain",
    "connectors.mysql.binlog._rows",
)
HEADERS = ["connectors/_json_text.h", "connectors/mongo/_bson.h", "connectors/mysql/_calendar.h"]

setup(
    ext_modules=[
        Extension(name, [name.replace(".", "/") + ".c"], depends=HEADERS, extra_compile_args=["-O3"], optional=True)
        for name in NAMES
    ]
)
