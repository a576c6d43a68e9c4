"""Twenty planted incidents: recorded from a real bot, bundled, and replayed from the bundle alone."""

import base64
import zipfile
from pathlib import Path
from urllib.parse import quote

import pytest

from hangbot.incident.bundle import read_bundle
from hangbot.incident.conversation import conversation
from hangbot.incident.outcome import is_alike
from hangbot.incident.replay import replayed
from tests.incident.incidents import INCIDENTS, MORE, QUICK, SONG, Incident, echo
from tests.incident.recorded import NAMES, Happening, recorded

_EVERYDAY = {"lost answer", "two troubles", "an operator"}


@pytest.mark.parametrize(
    "incident",
    [
        pytest.param(each, id=name, marks=[] if name in _EVERYDAY else pytest.mark.slow)
        for name, each in (INCIDENTS | MORE).items()
    ],
)
def test_an_incident_goes_in_its_replay_as_it_went(incident: Incident, tmp_path: Path) -> None:
    place = tmp_path / "bundle.zip"

    secrets = recorded(place, incident.happen, app=incident.app, env=incident.env, inner=incident.inner)
    pairs = replayed(read_bundle(place)).pairs()

    lines = list(conversation(pairs))
    assert is_alike(pairs), "\n".join(lines)
    assert any(incident.shows in line for line in lines), "\n".join(lines)
    assert not list(_leaks(place, secrets))


def _leaks(place: Path, secrets: list[str]) -> list[str]:
    with zipfile.ZipFile(place) as archive:
        text = "\n".join(archive.read(name).decode() for name in archive.namelist())
    spelt = {
        form
        for secret in secrets
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("="))
    }
    return [form for form in (*spelt, *NAMES) if form in text]


def test_an_incident_of_a_bot_that_was_started_again_goes_on_where_that_went_on(tmp_path: Path) -> None:
    place = tmp_path / "bundle.zip"

    async def earlier(it: Happening) -> None:
        await it.alice.say("/echo before")
        await it.bob.dm(it.sandbox.bot.uid, "/echo before")
        await it.wait(5)
        await it.alice.say("a line that nobody answers")
        await it.wait(5)

    async def happens(it: Happening) -> None:
        await it.wait(5)
        await it.alice.say("/echo again")
        await it.bob.dm(it.sandbox.bot.uid, "/echo again")
        await it.wait(10)

    secrets = recorded(place, happens, app=echo, env=QUICK, earlier=earlier)
    pairs = replayed(read_bundle(place)).pairs()

    lines = list(conversation(pairs))
    assert is_alike(pairs), "\n".join(lines)
    assert not list(_leaks(place, secrets))


@pytest.mark.slow
def test_an_incident_of_a_bot_that_had_run_for_long_begins_in_the_middle(tmp_path: Path) -> None:
    place = tmp_path / "bundle.zip"

    async def long(it: Happening) -> None:
        for number in range(150):
            await it.alice.say(f"/echo {number}")
            await it.alice.dj(SONG)
            await it.wait(2)
            await it.alice.step_down()
        await it.bob.leave()
        await it.wait(30)
        await it.sandbox.restart(down_ms=8_000)
        await it.bot.say("while all is down")
        await it.wait(60)

    recorded(place, long, app=echo, env=QUICK, largest=300_000)
    bundle = read_bundle(place)
    run = replayed(bundle)

    assert bundle.journal[0]["lost"] > 100
    assert run.then.continues
    assert is_alike(run.pairs()), "\n".join(conversation(run.pairs(), differences=True))
    assert sum(pair.topic.startswith("message") for pair in run.pairs()) > 5
