"""Looks at a MongoDB deployment before capture does, and says how to mend what is amiss. Changes nothing in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.checks import Check
from connectors.mongo.client import Client, Time
from connectors.mongo.deployment import Deployment
from connectors.mongo.settings import MongoSettings
from connectors.mongo.stream import ChangeStream
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
    if not deployment.sharded:
        yield _window(client)


def _stream(client: Client, deployment: Deployment, settings: MongoSettings) -> Check:
    watched = f"a change stream on {settings.scope}"
    try:
        ChangeStream(client, deployment, settings).begin(client.now())
    except StreamtrainError as error:
        role = "readAnyDatabase on admin" if settings.scope.database is None else f"read on {settings.scope.database}"
        return Check("mongodb rights", "fail", error.message, watched, error.hint or f"grant the role {role}")
    return Check("mongodb rights", "ok", f"{watched} can be opened")


def _collections(client: Client, deployment: Deployment, settings: MongoSettings) -> Iterator[Check]:
    try:
        options = client.collection_options(settings.scope, settings.captures)
    except StreamtrainError as error:
        yield Check("mongodb collections", "fail", error.message, "the list of collections", error.hint)
        return
    if not options:
        yield Check(
            "mongodb collections", "warn", f"none matches {', '.join(settings.include)}", "collections to capture",
            "check source.include; a collection that is made later is captured too",
        )  # fmt: skip
        return
    yield Check("mongodb collections", "ok", f"{len(options)} captured: {', '.join(sorted(options)[:5])}")
    without = sorted(name for name, each in options.items() if not _keeps_images(each))
    if settings.after != "post_image" or not without:
        return
    collection = without[0].split(".", 1)[1]
    command = f"db.runCommand({{collMod: '{collection}', changeStreamPreAndPostImages: {{enabled: true}}}})"
    mended = command if deployment.post_images else "set source.after: held; post-images need MongoDB 6.0"
    yield Check(
        "mongodb post-images", "fail", f"not kept by {', '.join(without[:5])}", "source.after is post_image", mended
    )


def _keeps_images(options: Mapping[str, Any]) -> bool:
    return bool((options.get("changeStreamPreAndPostImages") or {}).get("enabled"))


def _window(client: Client) -> Check:
    name, needed = "mongodb oplog", f"more than the longest stop of capture: at least {_SHORT_H} h"
    try:
        oldest = client.oldest()
    except AccessDenied:
        return Check(
            name, "warn", "how far it reaches back is not known: the account may not read local", needed,
            "grant the role clusterMonitor to see it, or ask rs.printReplicationInfo() as an administrator",
        )  # fmt: skip
    except StreamtrainError as error:
        return Check(name, "warn", error.message, needed, error.hint)
    hours = _hours(oldest, client.now())
    if hours >= _SHORT_H:
        return Check(name, "ok", f"reaches back {hours:.0f} h", needed)
    remedy = "db.adminCommand({replSetResizeOplog: 1, minRetentionHours: 24})"
    return Check(name, "warn", f"reaches back {hours:.1f} h", needed, remedy)


def _hours(oldest: Time, newest: Time) -> float:
    return (newest.seconds - oldest.seconds) / 3_600
