"""The gateway's calls, mostly without sockets."""

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangbot.sandbox.chat.rows import Json, Row
from hangbot.sandbox.gateway.call import GatewayAnswer, GatewayCall, gateway_point, gateway_segments
from hangbot.sandbox.gateway.routes import Gateway
from hangbot.sandbox.ids import Ids
from hangbot.sandbox.people import People, Person

if TYPE_CHECKING:
    from tests.sandbox.conftest import ChatBench

TOKEN = "/api/user-service/comet-chat/user-token"
ROOM: Row = {
    "uuid": "room-uuid",
    "slug": "the-room",
    "name": "The Room",
    "usersInRoomUuids": ["bot"],
    "song": None,
    "roomRoles": [{"userUuid": "mod", "role": "moderator"}],
    "recent_songs": [{"song": {"trackName": "T"}}],
}


class OneRoom:
    def by_slug(self, slug: str) -> Row | None:
        return ROOM if slug == "the-room" else None

    def by_uuid(self, uuid: str) -> Row | None:
        return ROOM if uuid == "room-uuid" else None


class GatewayBench:
    """A gateway at a standing clock, with a bot, a moderator and a room; it keeps what is changed there."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0
        self.people = People(lambda: self.seconds)
        self.bot = self.people.add("bot", uid="bot", role="bot")
        self.mod = self.people.add("mod", uid="mod")
        self.kicked: list[tuple[str, str]] = []
        self.changed: list[Row] = []
        self.shown: list[str] = []
        self.gateway = Gateway(self.people, OneRoom(), self, Ids())

    def kick(self, room_uuid: str, uid: str) -> None:
        self.kicked.append((room_uuid, uid))

    def change_settings(self, room_uuid: str, fields: Row) -> None:
        assert room_uuid == "room-uuid"
        self.changed.append(fields)

    def show_profile(self, uid: str) -> None:
        self.shown.append(uid)

    def ask(
        self, method: str, path: str, body: Json = None, *, by: Person | None = None, token: str | None = None
    ) -> GatewayAnswer:
        path, _, query = path.partition("?")
        segments = gateway_segments(path)
        assert segments is not None
        authorization = f"Bearer {token if token is not None else (by or self.bot).token}"
        return self.gateway.answer(GatewayCall(method, segments, query, authorization, body))


def test_the_exchange_gives_the_chat_token_for_the_bots_own() -> None:
    bench = GatewayBench()

    answer = bench.ask("GET", TOKEN)

    assert (answer.status, answer.body) == (200, {"cometAuthToken": bench.bot.chat_token})


def test_after_the_chat_token_died_the_exchange_gives_another() -> None:
    bench = GatewayBench()
    old = bench.bot.chat_token
    bench.people.revoke(old)

    fresh = bench.ask("GET", TOKEN).body["cometAuthToken"]

    assert fresh != old
    assert bench.people.by_chat_token(fresh) == bench.people.get("bot")


@pytest.mark.parametrize("case", ["none", "no JWT", "another key", "expired", "revoked"])
def test_a_bad_token_is_refused_in_the_gateways_own_words(case: str) -> None:
    bench = GatewayBench()
    token = {
        "none": "",
        "no JWT": "nonsense",
        "another key": GatewayBench().bot.token,
        "expired": bench.people.issue("bot", lifetime_s=-1),
        "revoked": bench.bot.token,
    }[case]
    if case == "revoked":
        bench.people.revoke(token)

    answer = bench.ask("GET", TOKEN, token=token)

    assert answer.status == 401
    assert answer.body == {"statusCode": 401, "message": "Unauthorized", "error": "Unauthorized"}


def test_a_token_without_its_scheme_is_refused() -> None:
    bench = GatewayBench()
    call = GatewayCall("GET", gateway_segments(TOKEN) or (), authorization=bench.bot.token)

    assert bench.gateway.answer(call).status == 401


def test_profiles_are_read_one_by_one_and_many_at_once() -> None:
    bench = GatewayBench()

    own = bench.ask("GET", "/api/user-service/users/profile").body
    other = bench.ask("GET", "/api/user-service/profile/mod").body
    many = bench.ask("GET", "/api/user-service/users/profiles?users=bot&users=mod&users=ghost").body
    ghost = bench.ask("GET", "/api/user-service/profile/ghost")

    assert own == {"uuid": "bot", "nickname": "bot", "avatarId": "bot-01", "color": "#ff9900"}
    assert many == [{"userProfile": own}, {"userProfile": other}]
    assert (ghost.status, ghost.body["error"]) == (404, "Not Found")


def test_a_changed_profile_is_told_to_the_room() -> None:
    bench = GatewayBench()

    changed = bench.ask("POST", "/api/user-service/users/profile", {"nickname": "Hal", "color": "#112233"})
    wrong = bench.ask("POST", "/api/user-service/users/profile", {"nickname": 5})
    none = bench.ask("POST", "/api/user-service/users/profile", [])

    assert (changed.status, changed.body["nickname"], changed.body["avatarId"]) == (201, "Hal", "bot-01")
    assert bench.shown == ["bot"]
    assert (wrong.status, none.status) == (400, 400)


def test_an_owner_signs_up_one_bot_and_gets_its_token() -> None:
    bench = GatewayBench()
    form = {"botNickName": "Robo", "avatarId": "bot-2", "color": "ff9900"}

    before = bench.ask("GET", "/api/user-service/users/bot-token", by=bench.mod)
    made = bench.ask("POST", "/api/user-service/users/sign-up-bot", form, by=bench.mod)
    again = bench.ask("POST", "/api/user-service/users/sign-up-bot", form, by=bench.mod)
    token = bench.ask("GET", "/api/user-service/users/bot-token", by=bench.mod).body

    assert (before.status, made.status, again.status) == (404, 201, 409)
    assert made.body["color"] == "#ff9900"
    assert bench.people.verify(token["accessToken"]).role == "bot"
    assert "codeSyncNewUser" in token


def test_a_person_logs_in_with_address_and_password() -> None:
    bench = GatewayBench()
    bench.gateway.accounts["a@b.c"] = ("secret", "mod")

    right = bench.ask("POST", "/auth/login", {"email": "a@b.c", "password": "secret"})
    wrong = bench.ask("POST", "/auth/login", {"email": "a@b.c", "password": "x"})
    nobody = bench.ask("POST", "/auth/login", {})

    assert right.body == {"accessToken": bench.mod.token}
    assert (wrong.status, nobody.status) == (401, 401)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/api/room-service/rooms/the-room", 200, id="by slug"),
        pytest.param("GET", "/api/room-service/rooms/uuid/room-uuid", 200, id="by uuid"),
        pytest.param("POST", "/rooms/the-room/join", 201, id="join at the direct host"),
        pytest.param("POST", "/api/room-service/rooms/the-room/join", 201, id="join at the gateway"),
    ],
)
def test_a_room_is_found(method: str, path: str, status: int) -> None:
    answer = GatewayBench().ask(method, path)

    shown = {name: value for name, value in ROOM.items() if name != "recent_songs"}
    assert (answer.status, answer.body) == (status, {"pinnedMessages": [], **shown})


def test_an_unknown_room_is_404_everywhere() -> None:
    bench = GatewayBench()
    calls = [
        ("GET", "/api/room-service/rooms/x"),
        ("GET", "/api/room-service/rooms/uuid/x"),
        ("POST", "/rooms/x/join"),
        ("GET", "/api/playlist-service/rooms/x/recent-songs"),
        ("GET", "/api/room-service/roomUserRoles/x/mod"),
    ]

    assert [bench.ask(*call).status for call in calls] == [404] * len(calls)


def test_a_room_is_changed_until_the_reset() -> None:
    bench = GatewayBench()

    changed = bench.ask("PATCH", "/api/room-service/rooms/the-room", {"songsPerDj": 2, "uuid": "other"}).body
    seen = bench.ask("GET", "/api/room-service/rooms/the-room").body
    bench.gateway.reset()
    after = bench.ask("GET", "/api/room-service/rooms/the-room").body

    assert (changed["songsPerDj"], changed["uuid"]) == (2, "room-uuid")
    assert seen["songsPerDj"] == 2
    assert "songsPerDj" not in after


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"songsPerDj": "two"}, "songsPerDj must be of type int", id="a text for a number"),
        pytest.param({"songsPerDj": True}, "songsPerDj must be of type int", id="a truth value for a number"),
        pytest.param({"songsPerDj": -1}, "songsPerDj must not be less than 0", id="less than none"),
        pytest.param([], "Unexpected token in JSON", id="no object"),
    ],
)
def test_a_setting_of_a_wrong_type_is_refused_and_told_to_nobody(fields: Json, message: str) -> None:
    bench = GatewayBench()
    bench.ask("PATCH", "/api/room-service/rooms/the-room", {"songsPerDj": 1})

    answer = bench.ask("PATCH", "/api/room-service/rooms/the-room", fields)

    assert (answer.status, answer.body["message"]) == (400, message)
    assert bench.changed == [{"songsPerDj": 1}]


def test_roles_and_users_are_not_changed_with_the_settings() -> None:
    bench = GatewayBench()

    bench.ask("PATCH", "/api/room-service/rooms/the-room", {"roomRoles": [], "slug": "x", "posterFile": "A"})

    assert bench.changed == [{"posterFile": "A"}]


def test_recent_songs_and_roles_come_from_the_room() -> None:
    bench = GatewayBench()

    songs = bench.ask("GET", "/api/playlist-service/rooms/the-room/recent-songs").body
    direct = bench.ask("GET", "/api/room-service/roomUserRoles/the-room/mod").body
    none = bench.ask("GET", "/api/room-service/roomUserRoles/the-room/bot").body

    assert songs == {"songPlays": [{"song": {"trackName": "T"}}]}
    assert direct == [{"role": "moderator"}]
    assert none == []


def test_a_moderator_kicks_and_nobody_else() -> None:
    bench = GatewayBench()
    path, form = (
        "/api/room-service/roomUserRoles/kick-user-from-room",
        {"userUuid": "bot", "slug": "the-room"},
    )

    refused = bench.ask("POST", path, {**form, "userUuid": "mod"})
    done = bench.ask("POST", path, form, by=bench.mod)
    nobody = bench.ask("POST", path, {**form, "userUuid": "ghost"}, by=bench.mod)

    assert (refused.status, done.status, nobody.status) == (403, 201, 404)
    assert list(refused.body) == ["statusCode", "message", "error"]
    assert bench.kicked == [("room-uuid", "bot")]


def test_a_queue_is_filled_read_and_emptied() -> None:
    bench = GatewayBench()
    queue = "/api/playlist-service/crate/special/queue"

    bench.ask("POST", f"{queue}/songs", {"songs": [{"songId": "a"}, {"songId": "b"}], "append": True})
    bench.ask("POST", f"{queue}/songs", {"songs": [{"songId": "c"}], "append": False})
    songs = bench.ask("GET", f"{queue}/songs?limit=2&offset=1").body["songs"]
    bench.ask("DELETE", f"{queue}/songs/{songs[0]['crateSongUuid']}")
    left = bench.ask("GET", f"{queue}/songs").body["songs"]
    bench.ask("POST", f"{queue}/songs/clear")
    empty = bench.ask("GET", f"{queue}/songs").body["songs"]

    assert [song["songId"] for song in songs] == ["a", "b"]
    assert [song["songId"] for song in left] == ["c", "b"]
    assert empty == []
    assert bench.ask("GET", queue).body["crateUuid"]
    assert bench.ask("PUT", queue).status == 404


def test_crates_are_made_filled_and_deleted() -> None:
    bench = GatewayBench()
    crates = "/api/playlist-service/crate"

    made = bench.ask("POST", crates, {"crateName": "mine", "isPublic": False}).body
    filled = bench.ask(
        "POST", f"{crates}/{made['crateUuid']}/songs", {"songs": [{"songId": "a"}], "append": True}
    )
    listed = bench.ask("GET", f"{crates}/user?limit=0&offset=0").body
    deleted = bench.ask("DELETE", f"{crates}/{made['crateUuid']}")

    assert (filled.status, deleted.status) == (201, 200)
    assert listed == {"crates": [{"crateName": "mine", "crateUuid": made["crateUuid"]}]}
    assert bench.ask("POST", f"{crates}/x/songs", {"songs": []}).status == 404
    assert bench.ask("DELETE", f"{crates}/x").status == 404
    assert bench.ask("POST", crates, {}).status == 400


def test_songs_are_found_and_looked_up() -> None:
    bench = GatewayBench()

    found = bench.ask("GET", "/api/playlist-service/search/v2?q=blue&limit=3").body["songs"]
    one = bench.ask("GET", "/api/playlist-service/song-data/123/spotify").body

    default = bench.ask("GET", "/api/playlist-service/search?q=blue&limit=x").body["songs"]

    assert (len(found), len(default)) == (3, 5)
    assert {"artistName", "trackName", "musicProviders"} < set(found[0])
    assert {"isrc", "links", "thumbnails", "status", "duration"} < set(one)
    assert found[0]["trackName"] == "blue"
    assert one["id"] == "123"


@pytest.mark.parametrize(
    "path",
    ["/api", "/api/nothing", "/api/user-service/nothing", "/api/room-service", "/api/playlist-service/x"],
)
def test_an_unknown_route_is_told_from_an_unknown_thing(path: str) -> None:
    bench = GatewayBench()

    route, thing = bench.ask("GET", path), bench.ask("GET", "/api/user-service/profile/ghost")

    assert (route.status, route.unknown_route) == (404, True)
    assert (thing.status, thing.unknown_route) == (404, False)


@pytest.mark.parametrize(
    ("path", "point"),
    [
        pytest.param(TOKEN, "gateway.token", id="the exchange"),
        pytest.param(
            "//api//user-service/comet-chat/user-token/", "gateway.token", id="with doubled slashes"
        ),
        pytest.param("/rooms/x/join", "gateway.other", id="anything else"),
    ],
)
def test_each_call_has_its_fault_point(path: str, point: str) -> None:
    assert gateway_point(gateway_segments(path) or ()) == point


async def test_over_the_wire_the_exchange_may_be_faulty(bench: "ChatBench") -> None:
    headers = {"Authorization": f"Bearer {bench.bot.token}"}
    for change in ({"do": "garbage"}, {"do": "status", "status": 200, "body": {"other": 1}}):
        bench.faults.add("gateway.token", **change)

    answers = [await bench.call("GET", TOKEN, headers=headers) for _ in range(3)]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert answers[1][1] == {"other": 1}
    assert answers[2][1] == {"cometAuthToken": bench.bot.chat_token}
    assert bench.bot.token not in str(bench.journal.since(0))


FIELDS = "songs crateName nickname slug userUuid botNickName append email"
PATHS = """/api/user-service/users/profile /api/user-service/users/sign-up-bot /auth/login /rooms/the-room
    /api/room-service/roomUserRoles/kick-user-from-room /crate /crate/special/queue/songs"""
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda x: st.lists(x, max_size=2) | st.dictionaries(st.sampled_from(FIELDS.split()), x),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    path=st.sampled_from(PATHS.split()),
    body=JSON,
)
def test_json_of_every_shape_is_answered(method: str, path: str, body: Json) -> None:
    bench = GatewayBench()

    answer = bench.ask(method, path, body)

    assert 200 <= answer.status < 500
    assert bench.ask("GET", "/rooms/the-room").body["uuid"] == "room-uuid"
