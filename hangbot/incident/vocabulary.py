"""The protocol's own words: what may stay in a bundle as it is; all else may be about a person. PURE."""

from typing import Final

from hangbot.hangfm.wire.actions import ACTIONS
from hangbot.hangfm.wire.chat_errors import KINDS
from hangbot.redact import MASK

__all__ = ["COMMAND_WORDS", "HEADERS", "KEYS", "NUMBERS", "PREFIXES", "QUERY", "SEGMENTS", "WORDS", "words"]


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


NUMBERS: Final = words(
    """
    id messageId sentAt updatedAt createdAt joinedAt editedAt deletedAt readAt deliveredAt
    lastActiveAt serverTime startTime endTime timestamp reactedAt parentId statusCode status code
    membersCount likes dislikes stars vibeMeter numberOfDjs songsPerDj songsRemainingForDj duration
    x y position lastReadMessageId lastDeliveredMessageId latestMessageId unreadMessageCount
    unreadMentionsCount per_page limit page current_page total total_pages count visibleDjs start
    uts seconds floorUsers
    """
)
"""Keys whose numbers, and texts of digits, stay."""

KEYS: Final = NUMBERS | words(
    """
    data meta pagination error message name details devMessage source metadata chatMessage entities
    sender receiver entity entityType by for on type category receiverType text uid uuid guid role
    scope owner status tags avatar avatarId color badges mentions userUuid userName userNickname
    conversationId muid resource reactions attachments hasJoined isBanned group settings jwt
    authToken fat wsChannel customData conversationType conversationWith lastMessage cometAuthToken
    accessToken slug roomUuid allowedRooms didCreate state allUserData allUsers audienceUsers djs
    nowPlaying song nextSong songId crateSongUuid songVotes like star voteCounts userProfile
    nickname tokenRole canDj roomRoles context event params action welcome room from statePatch op
    path value emoji animation appId deviceId body auth platform origin appInfo apiVersion version
    userAgent presenceSubscription user messageSender reaction reactedBy ack cursor affix imageUrls
    media songs artistName trackName genre isrc musicProviders thumbnails playbackToken playId
    djUuid password guestPassword roomSize vibe description design djType isLive hasChat promoted
    posterUrl externalUrl pinnedMessages isPasswordProtected isGuestPasswordProtected
    musicProviderKeys entryFee freeEntries liveAudio firstName lastName pronoun triggeredBy
    recipientUuid consumable replyCount blockedByMe hasBlockedMe extensions @injected success
    recentSongs usersInRoomUuids CHAT_HOST CHAT_HOST_OVERRIDE CHAT_HOST_APP_SPECIFIC CHAT_WSS_PORT
    CHAT_WS_PORT CHAT_USE_SSL REGION MODE shouldRemoveDjAfterSong explicit albumId album artist
    links songShortId uploadService apple audius napster soundCloudPublic spotify youtube pandora
    deezer tidal amazonMusic yandex spinrilla sevenDigital uri url test key kind hint reason remedy
    """
)
"""Names of fields that stay; any other may be a uid."""

WORDS: Final = (
    frozenset(KINDS)
    | words(
        """
        ERR_ALREADY_JOINED OK ERROR action response user alert api room group message text custom image
        file audio video groupMember participant moderator admin owner coOwner bot guest staff default
        available online offline away started ended joined left kicked banned unbanned added
        scopeChanged edited deleted add remove replace move copy test auth receipts reaction presence
        typing_indicator transient_message interaction_completed on_moderation_status_changed
        message_reaction_added message_reaction_removed read delivered deliveredToAll readByAll ping
        pong true false null public private append prepend both updatedUserData userJoined userLeft
        addedDj removedDj playedSong updatedNextSong votedOnSong lookedUpSong updatedRoomSettings
        updatedGuestPassword updatedUserProfile playedOneTimeAnimation kickedFromRoom roomReset joinRoom
        addDj removeDj updateNextSong voteOnSong skipSong jump emoji ALL_USERS WEB javascript ios
        android VERIFIED STAFF BOT name hangbot app_system server v3.0 0 -1
        """
    )
    | {
        MASK,
        "",
        "you have too many pending requests",
        "the server is shutting down",
        "primus::server::close",
        "primus::id::",
    }
)
"""Texts that stay wherever they stand."""

PREFIXES: Final = words("group user hangbot canary WEB") | ACTIONS.keys()
"""Beginnings of ids that are put together."""

SEGMENTS: Final = words(
    """
    v3 v3.0 api me settings groups members messages users conversations user thread jwt health
    user-service comet-chat user-token room-service rooms profile profiles bot-token primus spec
    user_sessions playlist-service join uuid
    """
)
"""Parts of paths that stay."""

QUERY: Final = words(
    """
    per_page limit page affix id updatedAt hideDeleted undelivered fields cursor category type
    receiverType
    """
)
"""Names in queries that stay."""

HEADERS: Final = words("content-type retry-after date location")
"""Headers of answers that are kept: a bot looks at no other."""

COMMAND_WORDS: Final = words("on off yes no help list all next up down start stop true false")
"""Words behind a command that stay."""
