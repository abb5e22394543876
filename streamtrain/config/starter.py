"""The commented ``streamtrain.yaml`` that ``streamtrain init`` writes."""

from __future__ import annotations

from typing import Literal

StarterSource = Literal["mysql", "mongo"]

_STARTER = """\
# What streamtrain captures, learns and keeps. `streamtrain doctor streamtrain.yaml` checks it against the servers.
# Every key that is not here has a default; `python -m streamtrain.config.reference` describes them all.
# ${NAME} is taken from the environment, ${NAME:-default} where the variable may be missing.

name: shop-clicks                # the run's name in the state database

@source@

topic:
  kind: kafka                    # or file, with `directory` in place of `bootstrap`
  bootstrap: 127.0.0.1:9092
  prefix: shop                   # topics are PREFIX.DATABASE.TABLE: shop.shop.events

state:
  url: @state@

examples:
  from: shop.events
  label: clicked                 # a row whose label is NULL waits until an update fills it
  task: binary                   # | multiclass (with `classes`) | regression
@features@

model:
  kind: logistic                 # | ftrl | mlp | package.module:function

train:
  slice: 64                      # rows learned in one step
  max_wait_ms: 200               # a slice that does not fill is learned after this long
  checkpoint: {every_slices: 200, every_s: 10}
"""


_SOURCES: dict[StarterSource, str] = {
    "mysql": """\
source:
  kind: mysql                    # MySQL and MariaDB | sqlite | none (something else fills the topics)
  url: mysql://streamtrain:${MYSQL_PASSWORD}@127.0.0.1:3306
  include: [shop.events]         # DATABASE.TABLE, shell wildcards allowed
  snapshot: initial              # the rows there are, then the log | no_data | when_needed""",
    "mongo": """\
source:
  kind: mongo                    # a replica set or a sharded cluster, from 4.4 on
  url: mongodb://streamtrain:${MONGO_PASSWORD}@127.0.0.1:27017/?replicaSet=rs0
  include: [shop.events]         # DATABASE.COLLECTION, shell wildcards allowed
  snapshot: initial              # the documents there are, then the log | no_data | when_needed
  after: held                    # updates are applied to documents held in `store` | post_image | lookup
  store: documents.db            # beside this file; it belongs to the position in the topics""",
}
_STATES: dict[StarterSource, str] = {
    "mysql": "sqlite:///streamtrain.db  # beside this file | mysql://… | mongodb://USER:PASSWORD@HOST:PORT/DATABASE",
    "mongo": "mongodb://streamtrain_state:${MONGO_PASSWORD}@127.0.0.1:27017/streamtrain?replicaSet=rs0&authSource=admin",
}
_FEATURES: dict[StarterSource, str] = {
    "mysql": """\
  features: auto                 # kinds from the column types, or a mapping:
  #   price: numeric
  #   user_id: categorical""",
    "mongo": """\
  features:                      # dotted paths in the documents
    price: numeric
    user.id: categorical""",
}


def starter_config(source: StarterSource = "mysql") -> str:
    """The file's text. It loads as it stands where ``MYSQL_PASSWORD``, or ``MONGO_PASSWORD``, is set."""
    parts = {"@source@": _SOURCES[source], "@state@": _STATES[source], "@features@": _FEATURES[source]}
    text = _STARTER
    for place, part in parts.items():
        text = text.replace(place, part)
    return text
