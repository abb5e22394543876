"""The parts in C. They are optional: without a compiler the package installs all the same, and does their work in Python."""

from setuptools import Extension, setup

setup(
    ext_modules=[
        Extension(
            "connectors.mysql.binlog._rows",
            ["connectors/mysql/binlog/_rows.c"],
            extra_compile_args=["-O3"],
            optional=True,
        ),
    ]
)
