"""Uses the client that openapi-python-client makes of the service's document, as a backup agent's author would.

Takes from the environment: WHOWAS_URL, WHOWAS_TOKEN (an admin's), WHOWAS_AGENT_TOKEN, and WHOWAS_OBJECT, a user's id.
"""

import os
from datetime import datetime, timezone
from uuid import UUID

from whowas_client import AuthenticatedClient
from whowas_client.api.evidence import checkpoint
from whowas_client.api.people import object_history, who
from whowas_client.api.runs import status
from whowas_client.api.snapshots import snapshot_add, snapshot_show
from whowas_client.api.verdicts import check
from whowas_client.models import (
    Action,
    CheckAnswer,
    CheckRequest,
    Code,
    ObjectAnswer,
    Problem,
    SnapshotAnswer,
    SnapshotRequest,
    StatusAnswer,
    Verdict,
)

TENANT = "emulated"
UNKNOWN = UUID("00000000-0000-4000-8000-00000000dead")


def main() -> None:
    url, someone = os.environ["WHOWAS_URL"], UUID(os.environ["WHOWAS_OBJECT"])
    client = AuthenticatedClient(base_url=url, token=os.environ["WHOWAS_TOKEN"])

    current = status.sync(client=client)
    assert isinstance(current, StatusAnswer), current
    assert [tenant.alias for tenant in current.tenants] == [TENANT]
    assert current.tenants[0].objects.active == 30

    ask = CheckRequest(object_=someone, chain="py/1")
    answer = check.sync(TENANT, client=client, body=ask)
    assert isinstance(answer, CheckAnswer), answer
    assert (answer.verdict, answer.action) == (Verdict.BASELINE, Action.FULL)
    assert answer.open_ == f"/users/{someone}"

    # Several in one request are answered in their order.
    asks = [ask, CheckRequest(object_=UNKNOWN)]
    answers = check.sync(TENANT, client=client, body=asks)
    assert isinstance(answers, list), answers
    assert [each.verdict for each in answers] == [Verdict.BASELINE, Verdict.UNKNOWN]

    taken = datetime(2026, 3, 2, 10, 0, tzinfo=timezone.utc)
    snapshot = SnapshotRequest(chain="py/1", snapshot="rp 1", from_=taken, until=taken, object_=someone)
    for _ in range(2):
        added = snapshot_add.sync(TENANT, client=client, body=snapshot)
        assert isinstance(added, SnapshotAnswer), added
    shown = snapshot_show.sync(TENANT, "py/1", "rp 1", client=client)
    assert isinstance(shown, SnapshotAnswer) and shown == added, shown
    assert shown.attribution.owner == someone and shown.from_ == taken

    history = object_history.sync(TENANT, someone, client=client)
    assert isinstance(history, ObjectAnswer) and history.names, history
    assert not isinstance(checkpoint.sync(TENANT, client=client), Problem)

    # What is refused is told as a problem with its code.
    missing = snapshot_show.sync_detailed(TENANT, "py/1", "none", client=client)
    assert missing.status_code == 404 and isinstance(missing.parsed, Problem), missing
    assert missing.parsed.code == Code.UNKNOWN_SNAPSHOT
    agent = AuthenticatedClient(base_url=url, token=os.environ["WHOWAS_AGENT_TOKEN"])
    refused = who.sync(TENANT, "user00001@x.test", client=agent)
    assert isinstance(refused, Problem) and refused.code == Code.ROLE_FORBIDDEN, refused
    stranger = AuthenticatedClient(base_url=url, token="whowas_nobody")
    unknown = status.sync(client=stranger)
    assert isinstance(unknown, Problem) and unknown.code == Code.UNAUTHENTICATED, unknown
    print("python: asked, recorded, looked at, refused")


if __name__ == "__main__":
    main()
