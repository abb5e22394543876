"""The commented ``streamtrain.yaml`` that ``streamtrain init`` writes."""

from __future__ import annotations

_STARTER = """\
# What streamtrain captures, learns and keeps. `streamtrain doctor streamtrain.yaml` checks it against the servers.
# Every key that is not here has a default; `python -m streamtrain.config.reference` describes them all.
# ${NAME} is taken from the environment, ${NAME:-default} where the variable may be missing.

name: shop-clicks                # the run's name in the state database

source:
  kind: mysql                    # MySQL and MariaDB | sqlite | none (something else fills the topics)
  url: mysql://streamtrain:${MYSQL_PASSWORD}@127.0.0.1:3306
  include: [shop.events]         # DATABASE.TABLE, shell wildcards allowed
  snapshot: initial              # the rows there are, then the log | no_data | when_needed

topic:
  kind: kafka                    # or file, with `directory` in place of `bootstrap`
  bootstrap: 127.0.0.1:9092
  prefix: shop                   # topics are PREFIX.DATABASE.TABLE: shop.shop.events

state:
  url: sqlite:///streamtrain.db  # beside this file | mysql://… | mongodb://USER:PASSWORD@HOST:PORT/DATABASE

examples:
  from: shop.events
  label: clicked                 # a row whose label is NULL waits until an update fills it
  task: binary                   # | multiclass (with `classes`) | regression
  features: auto                 # kinds from the column types, or a mapping:
  #   price: numeric
  #   user_id: categorical

model:
  kind: logistic                 # | ftrl | mlp | package.module:function

train:
  slice: 64                      # rows learned in one step
  max_wait_ms: 200               # a slice that does not fill is learned after this long
  checkpoint: {every_slices: 200, every_s: 10}
"""


def starter_config() -> str:
    """The file's text. It loads as it stands where ``MYSQL_PASSWORD`` is set."""
    return _STARTER
