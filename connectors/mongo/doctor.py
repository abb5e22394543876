"""Looks at a MongoDB deployment before capture does, and says how to mend what is amiss. Changes nothing in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.checks import Check
from connectors.mongo.client import Client, Time
from connectors.mongo.deployment import Deployment
from connectors.mongo.settings import MongoSettings, Scope, name_of
from connectors.mongo.stream import ChangeStream
from connectors.topic_owners import own_topics_check
from streamtrain.errors import AccessDenied, StreamtrainError

_SHORT_H = 24


def examine(settings: MongoSettings) -> list[Check]:
    """Every check that can be made; those that need the server are left out where it cannot be reached."""
    needed = "a replica set or a sharded cluster that lets us in"
    try:
        client = Client(settings)
    except StreamtrainError as error:
        return [Check("mongodb address", "fail", error.message, needed, error.hint)]
    try:
        deployment = client.deployment()
        return [_kind(deployment), *_checks(client, deployment, settings)]
    except StreamtrainError as error:
        return [Check("mongodb server", "fail", error.message, needed, error.hint)]
    finally:
        client.close()


def _kind(deployment: Deployment) -> Check:
    found = "a sharded cluster" if deployment.sharded else f"the replica set {deployment.set_name}"
    return Check("mongodb server", "ok", f"{found}, wire version {deployment.wire_version}")


def _checks(client: Client, deployment: Deployment, settings: MongoSettings) -> Iterator[Check]:
    yield _stream(client, deployment, settings)
    yield from _collections(client, deployment, settings)
    yield _window(client, deployment)
    yield _store(settings)


def _stream(client: Client, deployment: Deployment, settings: MongoSettings) -> Check:
    what = "a change stream on " + ("the whole deployment" if settings.scope == Scope() else str(settings.scope))
    try:
        ChangeStream(client, deployment, settings).begin(client.now())
    except AccessDenied as error:
        return Check("mongodb rights", "fail", error.message, what, _grant(settings.scope))
    except StreamtrainError as error:
        return Check("mongodb rights", "fail", error.message, what, error.hint)
    return Check("mongodb rights", "ok", f"{what} can be opened")


def _grant(scope: Scope) -> str:
    """The command that gives the one role that capture needs."""
    role, database = ("readAnyDatabase", "admin") if scope.database is None else ("read", scope.database)
    return _granted(role, database)


def _granted(role: str, database: str) -> str:
    return f"db.grantRolesToUser('USER', [{{role: '{role}', db: '{database}'}}])"


def _collections(client: Client, deployment: Deployment, settings: MongoSettings) -> Iterator[Check]:
    try:
        options = client.collection_options(settings.scope, settings.captures)
    except StreamtrainError as error:
        remedy = _grant(settings.scope) if isinstance(error, AccessDenied) else error.hint
        yield Check("mongodb collections", "fail", error.message, "the list of collections", remedy)
        return
    if not options:
        yield Check(
            "mongodb collections", "warn", f"none matches {', '.join(settings.include)}", "collections to capture",
            "check source.include; a collection that is made later is captured too",
        )  # fmt: skip
        return
    yield Check("mongodb collections", "ok", f"{len(options)} captured: {', '.join(sorted(options)[:5])}")
    yield from own_topics_check(settings.prefix, map(name_of, sorted(options)))
    without = sorted(name for name, each in options.items() if not _keeps_images(each))
    if without and settings.after != "held":
        yield _images(without, deployment, settings)


def _images(without: list[str], deployment: Deployment, settings: MongoSettings) -> Check:
    """What it means that collections keep no images, where no documents are held either."""
    database, collection = name_of(without[0])
    command = (
        f"use {database}; db.runCommand({{collMod: '{collection}', changeStreamPreAndPostImages: {{enabled: true}}}})"
    )
    mended = command if deployment.post_images else "set source.after: held; images need MongoDB 6.0"
    found = f"not kept by {', '.join(without[:5])}"
    if settings.after == "post_image":
        return Check("mongodb post-images", "fail", found, "source.after is post_image", mended)
    return Check(
        "mongodb pre-images", "warn", f"{found}: `before` will be null", "a document before its change", mended
    )


def _keeps_images(options: Mapping[str, Any]) -> bool:
    return bool((options.get("changeStreamPreAndPostImages") or {}).get("enabled"))


def _window(client: Client, deployment: Deployment) -> Check:
    name, needed = "mongodb oplog", f"more than the longest stop of capture: at least {_SHORT_H} h"
    if deployment.sharded:
        hidden, remedy = (
            "each shard has its own, which a router does not show",
            "ask each shard: rs.printReplicationInfo()",
        )
        return Check(name, "warn", hidden, needed, remedy)
    try:
        oldest = client.oldest()
    except AccessDenied:
        hidden = "how far it reaches back is not known: the account may not read local"
        return Check(name, "warn", hidden, needed, _granted("clusterMonitor", "admin"))
    except StreamtrainError as error:
        return Check(name, "warn", error.message, needed, error.hint)
    hours = _hours(oldest, client.now())
    if hours >= _SHORT_H:
        return Check(name, "ok", f"reaches back {hours:.0f} h", needed)
    remedy = "db.adminCommand({replSetResizeOplog: 1, minRetentionHours: 24})"
    return Check(name, "warn", f"reaches back {hours:.1f} h", needed, remedy)


def _store(settings: MongoSettings) -> Check:
    """Whether the store of documents can be made or written."""
    file = settings.store
    where = file if file.exists() else next(each for each in file.absolute().parents if each.exists())
    if os.access(where, os.W_OK) and where.is_dir() != file.exists():
        return Check("mongodb store", "ok", f"{file}{'' if file.exists() else ' will be made'}")
    needed = "a file for the documents that are held"
    return Check(
        "mongodb store", "fail", f"{where} may not be written to", needed, "give write permission, or set source.store"
    )


def _hours(oldest: Time, newest: Time) -> float:
    return (newest.seconds - oldest.seconds) / 3_600
