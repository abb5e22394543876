"""``python -m streamtrain`` is the ``streamtrain`` command."""

from streamtrain.cli.app import main

main()
