"""`outreach events`: what came back from the mail, as it comes; and who made it, judged again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

import click

from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import ConfigurationError, UsageError
from outreach.store import campaigns as store_campaigns
from outreach.store import held as store_held
from outreach.store import tailing
from outreach.store.events import Verdict
from tracking import judging, rules
from tracking.judging import words
from tracking.webhooks import outgoing
from tracking.webhooks.feedback import load_secret

POLL_SECONDS = 1.0
WHO = {
    Verdict.PERSON: "people",
    Verdict.MACHINE: "machines",
    Verdict.NOT_MEASURABLE: "not measurable",
    Verdict.UNJUDGED: "not judged yet",
}


@click.group()
def events() -> None:
    """Opens, clicks, unsubscribes and complaints: follow them, and judge again who made them."""


@events.command()
@click.argument("campaign", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def reclassify(campaign: str | None, as_json: bool) -> None:
    """Judge every hit again (of CAMPAIGN, or of all) by the rules as they are now.

    Nothing is deleted: a verdict is written beside each hit. Where people turn out to be machines, or
    machines people, everybody's engagement is counted again.
    """
    workspace = open_workspace()
    wanted = None
    if campaign:
        with workspace.store.read() as connection:
            wanted = [store_campaigns.find(connection, campaign).id]
    soon = workspace.settings.number("policy.soon_seconds")
    result = judging.reclassify(workspace.store, campaigns=wanted, soon_seconds=soon)
    if any(Verdict.UNJUDGED not in move for move in result.moved):
        from outreach.store import engagement

        engagement.rebuild(workspace.store, zone=workspace.settings.zone)
    moved = {f"{WHO[old]} -> {WHO[new]}": count for (old, new), count in sorted(result.moved.items())}
    if as_json:
        print_json({"hits": result.hits, "changed": result.changed, "rules": rules.VERSION, "moved": moved})
        return
    click.echo(f"{result.hits:,} hits judged by rules {rules.VERSION}, {result.changed:,} verdicts changed")
    for name, count in moved.items():
        click.echo(f"  {name}: {count:,}")


@events.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, for another system.")
@click.option("--after", default="", metavar="POSITION", help="Go on after the `position` of the last event you have.")
@click.option("--follow", is_flag=True, help="Wait for more, until interrupted.")
@click.option("--limit", type=click.IntRange(1), default=10_000, show_default=True, help="At most so many at once.")
def tail(as_json: bool, after: str, follow: bool, limit: int) -> None:
    """Print recorded events, oldest first, each with a position to go on from.

    Reading the same position twice gives the same events again: keep the last one that you have dealt with.
    """
    store = open_workspace().store
    try:
        position = tailing.Position.read(after)
    except ValueError:
        raise UsageError(
            f"{after!r} is no position; take the `position` of an event that this command printed"
        ) from None
    while True:
        with store.read() as main, store.read_events() as raw:
            found, position = tailing.after(main, raw, position, limit=limit)
        for event in found:
            click.echo(json.dumps(event, ensure_ascii=False) if as_json else _line(event))
        if not follow:
            return
        if not found:
            time.sleep(POLL_SECONDS)


def _line(event: dict[str, object]) -> str:
    who = event.get("subscriber") or "nobody we know"
    return f"{event['at']}  {event['kind']:<12} {event.get('campaign') or '?':<24} {who}"


@events.command("push")
def push_now() -> None:
    """Post what is new to `tracking.push_url`, signed with keys/webhook. `outreach cron` does the same."""
    workspace = open_workspace()
    if not workspace.settings.text("tracking.push_url"):
        raise UsageError("tracking.push_url is not set; write the address of your system there")
    click.echo(f"{push(workspace):,} events posted")


def push(workspace: Workspace) -> int:
    """Post new events to the city's own system, if it has one; how many it took."""
    url = workspace.settings.text("tracking.push_url")
    if not url:
        return 0
    secret = load_secret(workspace.root / "keys" / "webhook")
    if secret is None:
        raise ConfigurationError("tracking.push_url is set but keys/webhook is missing, which signs what is posted")
    state = workspace.settings.data / "push.position"
    return outgoing.deliver(workspace.store, url, secret=secret, state=state, at=int(workspace.now().timestamp()))


@events.command("summary")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def summarise(as_json: bool) -> None:
    """Count all opens and clicks by who made them, and why we think so."""
    from outreach.events import Kind
    from outreach.store import verdicts

    with open_workspace().store.read_events() as connection:
        found = verdicts.summary(connection)
    rows = [
        (Kind(kind).name.lower(), WHO[Verdict(verdict)], words(rules.Reason(reason)), count)
        for (kind, verdict, reason), count in sorted(found.items())
    ]
    if as_json:
        print_json([dict(zip(("kind", "who", "why", "hits"), row, strict=True)) for row in rows])
        return
    for kind, who, why, count in rows:
        click.echo(f"{kind:<6} {who:<16} {why:<18} {count:>12,}")


@events.command("held")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show_held(as_json: bool) -> None:
    """List events that wait for review.

    Unsubscribes amid a scanner's burst of clicks take effect after three days by themselves; complaints and bounces
    of more than 2 % of the list within an hour wait until you accept or dismiss them.
    """
    with open_workspace().store.read() as connection:
        waiting = store_held.held(connection)
    if as_json:
        print_json(
            [
                {
                    "id": one.id,
                    "at": one.at,
                    "kind": one.kind.name.lower(),
                    "address": one.address,
                    "campaign": one.campaign,
                }
                for one in waiting
            ]
        )
        return
    for one in waiting:
        click.echo(
            f"{one.id:>8}  {one.at:%Y-%m-%d %H:%M}  {one.kind.name.lower():<12} {one.campaign:<24} {one.address}"
        )
    if waiting:
        click.echo("accept them (`outreach events accept ID`) or dismiss them (`outreach events dismiss ID`)")


@events.command()
@click.argument("ids", nargs=-1, type=int, required=True)
def accept(ids: tuple[int, ...]) -> None:
    """Let held events take effect now."""
    _settle(ids, accept=True)


@events.command()
@click.argument("ids", nargs=-1, type=int, required=True)
def dismiss(ids: tuple[int, ...]) -> None:
    """Let held events have no effect: these people stay as they are."""
    _settle(ids, accept=False)


def _settle(ids: Iterable[int], *, accept: bool) -> None:
    with open_workspace().store.write() as connection:
        missing = [number for number in ids if not store_held.settle_held(connection, number, accept=accept)]
    if missing:
        raise UsageError(f"{', '.join(map(str, missing))} is not held; `outreach events held` lists what is")
