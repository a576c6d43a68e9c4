"""The deliberate faults, each with the tests that must notice it; a line moves here together with the code.

Every one was, or could have been, a fault of a running bot. The text before stands in its file once; where
code is rewritten, write the same fault into the new code. Named is the quickest test that notices.
"""

from typing import Final

from tests.mutants.runner import Mutant

__all__ = ["MUTANTS"]

MUTANTS: Final = (
    # -- delivery
    Mutant(
        "sent-again-unasked",
        "what may have arrived is sent again without asking",
        "hangbot/delivery/retry.py",
        before="self.in_doubt = error.ambiguous",
        after="self.in_doubt = False",
        killed_by=(
            "tests/delivery/test_retry.py::test_one_verdict",
            "tests/delivery/test_retrier.py::test_a_message_ends_as_the_service_answers",
        ),
    ),
    Mutant(
        "found-is-tier-1",
        "what was found by asking counts as delivered at once",
        "hangbot/delivery/retry.py",
        before='return Settlement("delivered", 2 if progress.found or progress.retried else 1, progress.attempts)',
        after='return Settlement("delivered", 1 if progress.found or not progress.retried else 2, progress.attempts)',
        killed_by=("tests/delivery/test_retry.py::test_an_end_says_its_tier_why_and_what_to_do",),
    ),
    Mutant(
        "total-during-outage",
        "the total time of a message goes on while the service is known to be down",
        "hangbot/delivery/limits.py",
        before="return now - self._down_before - (0.0 if self.since is None else now - self.since)",
        after="return now",
        killed_by=("tests/delivery/test_limits.py::test_the_time_that_it_is_down_does_not_count",),
    ),
    Mutant(
        "two-probes",
        "a breaker that probes lets a second probe out",
        "hangbot/delivery/limits.py",
        before='if self.state != "open" or now < self.retry_at:',
        after='if self.state == "closed" or now < self.retry_at:',
        killed_by=("tests/delivery/test_limits.py::test_after_the_wait_there_is_one_probe_at_a_time",),
    ),
    Mutant(
        "marked-after-request",
        "the disk learns of an attempt only after the request",
        "hangbot/delivery/sending.py",
        before="""\
            if not self._marked or self._clock.now() > self._begun + _CLAIM_HOLDS:
                steps, self.unwritten = self.unwritten, []
                if not await self._outbox.mark_sending(self.key, steps):
                    self.unwritten = steps[:-1]  # all but the attempt, which is not made
                    self._withdrawn = True
                    request.abandon()
                    return False
            self._marked = False  # the next attempt is written before it is made
            self._may_be_there = self._under_way = True
            try:
                await self._sink.send(self.row.message)
""",
        after="""\
            self._may_be_there = self._under_way = True
            try:
                await self._sink.send(self.row.message)
                steps, self.unwritten = self.unwritten, []
                await self._outbox.mark_sending(self.key, steps)
""",
        killed_by=(
            "tests/delivery/test_courier.py::test_before_an_attempt_leaves_it_is_on_disk_that_it_may_have",
        ),
    ),
    Mutant(
        "overtaken",
        "nothing keeps a message from overtaking another to the same receiver that is tried again",
        "hangbot/delivery/workers.py",
        before="return self._locks.setdefault(receiver, asyncio.Lock())",
        after="return asyncio.Lock()",
        killed_by=(
            "tests/delivery/test_courier.py::test_a_message_that_run_carries_can_be_delivered_too_and_is_in_the_room_once",
        ),
    ),
    Mutant(
        "not-synced",
        "what is accepted is committed without being written through to the disk",
        "hangbot/delivery/tables.py",
        before='database.execute("PRAGMA synchronous = FULL")',
        after='database.execute("PRAGMA synchronous = NORMAL")',
        killed_by=(
            "tests/delivery/test_database.py::test_what_is_on_disk_is_written_through_and_in_one_place",
        ),
    ),
    Mutant(
        "busy-is-final",
        "a file that another process has locked for a moment is an error at once",
        "hangbot/delivery/thread_writer.py",
        before="        if self._closing or waited >= self._patience:\n            return False\n",
        after="        if self._closing or waited >= 0:\n            return False\n",
        killed_by=(
            "tests/delivery/test_outbox.py::test_a_locked_outbox_is_told_once_and_what_was_asked_meanwhile_is_done_in_its_order",
        ),
    ),
    Mutant(
        "counted-in-two-looks",
        "what waits for other rooms is counted in two looks, between which a message may end",
        "hangbot/delivery/outbox.py",
        before="return await self.file.read(read_sql.count_others, self._rooms)",
        after="return await self.file.read(read_sql.count_waiting) - await self.count_waiting()",
        killed_by=(
            "tests/delivery/test_outbox.py::test_what_is_accepted_while_others_are_counted_is_not_taken_off_them",
        ),
    ),
    Mutant(
        "expired-by-wall-clock",
        "a wall clock that is set expires what is young",
        "hangbot/clock.py",
        before="    if boot and here and boot.id == here.id and boot.at <= here.at:\n",
        after="    if False:\n",
        killed_by=("tests/test_clock.py::test_an_age_is_exact_whatever_becomes_of_the_wall_clock",),
    ),
    # -- what the chat says
    Mutant(
        "page-refuses",
        "a page of a firewall with a 4xx refuses a message",
        "hangbot/hangfm/wire/chat_errors.py",
        before="        return (RateLimited if rate_limited else Unavailable)(\n",
        after="        return (RateLimited if rate_limited else Refused if is_refusal(status) else Unavailable)(\n",
        killed_by=(
            "tests/hangfm/wire/test_chat_errors.py::test_what_is_not_in_the_chats_own_words_refuses_nothing",
        ),
    ),
    Mutant(
        "no-member-is-token",
        "a 401 that says `ERR_GROUP_NOT_JOINED` has the token exchanged",
        "hangbot/hangfm/wire/chat_errors.py",
        before="return KINDS.get(code, TokenRejected)",
        after="return TokenRejected",
        killed_by=("tests/hangfm/test_chat.py::test_a_401_that_says_not_joined_is_no_token_problem",),
    ),
    Mutant(
        "answer-of-another",
        "an answer that came twice acknowledges the next message",
        "hangbot/hangfm/chat.py",
        before="if sent and sent.muid not in {None, message.id}:",
        after="if False:",
        killed_by=(
            "tests/hangfm/test_chat.py::test_an_answer_that_came_twice_does_not_acknowledge_the_next_message",
        ),
    ),
    # -- the room
    Mutant(
        "refused-join-joins",
        "a refused reply to the join is taken for success",
        "hangbot/hangfm/acks.py",
        before="    if reply.error is None:\n        return reply.fields\n",
        after='    if reply.error is None or action == "joinRoom":\n        return reply.fields\n',
        killed_by=(
            "tests/hangfm/test_room.py::test_a_room_that_is_not_there_refuses_in_its_own_words",
            "tests/hangfm/test_room.py::test_a_wrong_token_refuses_the_join",
        ),
    ),
    Mutant(
        "silence-lasts",
        "a connection without heartbeats never ends",
        "hangbot/hangfm/room.py",
        before="""\
        self._end(Disconnect(self._because("silent"), f"no heartbeat for {self._silence:g} s"))
        await self._connection.close()
""",
        after="""\
        await asyncio.get_running_loop().create_future()
""",
        killed_by=(
            "tests/hangfm/test_room.py::test_a_server_without_heartbeats_counts_as_dead_and_fails_what_is_pending",
        ),
    ),
    Mutant(
        "misfit-passed-over",
        "an operation that does not fit a list of the room's state is passed over",
        "hangbot/hangfm/wire/patch.py",
        before="            if key > len(node):\n                raise IndexError\n",
        after="            if key > len(node):\n                continue\n",
        killed_by=(
            "tests/hangfm/wire/test_patch.py::test_what_does_not_fit_is_refused_and_what_came_before_it_is_taken_back",
        ),
    ),
    Mutant(
        "early-vote-ends-all",
        "a vote of a user whose profile has not come yet does not fit the state",
        "hangbot/hangfm/wire/patch.py",
        before='            if op not in {"add", "replace", "remove"} or names[1] != _PROFILES or len(names) < _ENTRY:\n',
        after="            if True:\n",
        killed_by=(
            "tests/hangfm/wire/test_patch.py::test_votes_of_one_whose_profile_has_not_come_are_kept_until_it_does",
        ),
    ),
    Mutant(
        "late-profile-forgets",
        "a profile that comes late takes the votes with it that came before",
        "hangbot/hangfm/wire/patch.py",
        before="        if late and top == _PROFILES and len(names) <= _ENTRY:\n",
        after="        if False:\n",
        killed_by=(
            "tests/hangfm/wire/test_patch.py::test_votes_of_one_whose_profile_has_not_come_are_kept_until_it_does",
        ),
    ),
    Mutant(
        "patched-by-half",
        "of a patch that does not fit, what came before stays applied",
        "hangbot/hangfm/wire/state.py",
        before="        undo(log)\n",
        after="        log.clear()\n",
        killed_by=(
            "tests/hangfm/wire/test_state.py::test_a_patch_that_does_not_fit_is_told_and_changes_nothing",
        ),
    ),
    Mutant(
        "lost-state-kept",
        "a state that a patch does not fit goes on as the room's",
        "hangbot/hangfm/replica.py",
        before="""\
        except WireError as exc:
            return Disconnect("state lost", str(exc))
        held, self._held""",
        after="""\
        except WireError:
            return None
        held, self._held""",
        killed_by=("tests/hangfm/test_room.py::test_a_doubled_patch_is_noticed_and_the_state_given_up",),
    ),
    Mutant(
        "unread-acted-again",
        "a room action that the room has not read yet is looked for in the state, and sent again",
        "hangbot/hangfm/action.py",
        before="        if self._maybe_unread:\n",
        after="        if False:\n",
        killed_by=("tests/hangfm/test_action.py::test_what_a_stalled_network_holds_back_is_not_sent_again",),
    ),
    # -- the bot
    Mutant(
        "reconnects-together",
        "bots that lost the room together come back together",
        "hangbot/bot/pace.py",
        before="return self._policy.wait_after(self._losses, self._rng)",
        after="return self._policy.step(self._losses)",
        killed_by=("tests/bot/test_pace.py::test_how_long_a_connection_is_waited_for",),
    ),
    Mutant(
        "stops-without-draining",
        "a bot that stops drops what is on its way",
        "hangbot/bot/bot.py",
        before="                await self._drain(delivering)\n",
        after="                delivering.cancel()\n",
        killed_by=(
            "tests/bot/test_bot.py::test_what_is_on_its_way_when_the_bot_stops_is_finished_and_what_waits_is_left",
        ),
    ),
    Mutant(
        "kicked-without-draining",
        "a bot that a moderator puts out ends before its messages do",
        "hangbot/bot/services.py",
        before='return RemovedFromRoom("a moderator put',
        after='raise RemovedFromRoom("a moderator put',
        killed_by=(
            "tests/bot/test_bot.py::test_a_kicked_bot_finishes_its_messages_and_ends_with_that_reason",
        ),
    ),
    Mutant(
        "hears-itself",
        "the bot's app is given what the bot said",
        "hangbot/bot/listener.py",
        before="if line.sender not in self._own_ids:",
        after="if line:",
        killed_by=("tests/bot/test_bot.py::test_an_app_hears_others_in_order_and_never_the_bot_itself",),
    ),
    Mutant(
        "lost-state-stays-lost",
        "a bot whose room state is lost leaves the room and waits as after a loss",
        "hangbot/bot/services.py",
        before='            if end.reason == "state lost":\n                continue',
        after='            if end.reason == "reset":\n                continue',
        killed_by=("tests/bot/test_bot.py::test_a_lost_state_is_fetched_anew",),
    ),
    # -- secrets and text of others
    Mutant(
        "frames-unmasked",
        "the log of the room's frames shows the token",
        "hangbot/hangfm/socket.py",
        before="_wire_logger.addFilter(\n    RedactingFilter(Redactor())\n)",
        after="_ = RedactingFilter, Redactor",
        killed_by=("tests/test_factory.py::test_no_token_is_in_any_log_line_of_any_library_at_debug",),
    ),
    Mutant(
        "json-log-unmasked",
        "a log for machines shows secrets",
        "hangbot/cli/logs.py",
        before="    handler.addFilter(RedactingFilter(redactor))\n",
        after='    if log_format != "json":\n        handler.addFilter(RedactingFilter(redactor))\n',
        killed_by=("tests/cli/test_logs.py::test_a_secret_is_in_no_line_argument_extra_or_traceback",),
    ),
    Mutant(
        "section-unmasked",
        "what a failed test printed is reported with its secrets",
        "pytest_hangfm/reporting/masking.py",
        before="[(name, shown(text, name.startswith(_CAPTURED))) for name, text in report.sections]",
        after="[(name, text) for name, text in report.sections]",
        killed_by=(
            "tests/plugin/test_redaction.py::test_a_secret_in_each_of_the_known_ways_is_in_nothing_that_a_run_leaves[short-plain]",
        ),
    ),
    Mutant(
        "journal-unmasked",
        "the sandbox's journal shows tokens",
        "hangbot/sandbox/journal.py",
        before="event[name] = value if plain else self._redactor.value(value)",
        after="event[name] = value",
        killed_by=("tests/sandbox/test_journal.py::test_secrets_are_masked_wherever_they_stand",),
    ),
    Mutant(
        "cut-secret-shown",
        "what is left of a secret where a text was cut is shown",
        "hangbot/redact.py",
        before="        for piece in self._cuttable:\n",
        after="        for piece in ():\n",
        killed_by=("tests/test_redact.py::test_what_is_left_of_a_secret_where_a_text_was_cut_is_masked",),
    ),
    Mutant(
        "usage-unmasked",
        "a call that is no good is told with the token that stands in it",
        "hangbot/cli/parser.py",
        before="super().error(printable(masked(message)))",
        after="super().error(printable(message))",
        killed_by=(
            "tests/cli/test_masking.py::test_a_secret_of_the_environment_is_in_no_message_wherever_else_it_was_put",
        ),
    ),
    Mutant(
        "raw-on-terminal",
        "what others wrote reaches a terminal raw",
        "hangbot/cli/output.py",
        before="print(paint(encodable(printable(masked(line)), stream)),",
        after="print(paint(encodable(masked(line), stream)),",
        killed_by=("tests/cli/test_hostile_text.py::test_preflight_shows_a_hostile_server_escaped",),
    ),
    Mutant(
        "print-failure-decides",
        "what cannot be printed turns accepted into failed",
        "hangbot/cli/output.py",
        before="                self._on_failure(exc)\n",
        after="                self._on_failure(exc)\n            raise\n",
        killed_by=(
            "tests/cli/test_output.py::test_what_was_accepted_is_told_as_accepted_wherever_the_id_went[full]",
        ),
    ),
    # -- settings and checks
    Mutant(
        "dead-setting",
        "a setting is accepted and nothing reads it",
        "hangbot/factory.py",
        before="        ttl=settings.message_ttl,\n",
        after="        ttl=None,\n",
        killed_by=(
            "tests/config/test_settings.py::test_every_setting_is_read_by_something_and_one_that_is_not_says_so_to_whoever_sets_it",
        ),
    ),
    Mutant(
        "outbox-not-proven",
        "preflight calls an outbox ready that it has not written to",
        "hangbot/preflight/storage.py",
        before="        await outbox.prove()\n",
        after="",
        killed_by=("tests/preflight/test_storage.py::test_an_outbox_that_is_ready_has_been_written_to",),
    ),
    # -- the sandbox
    Mutant(
        "cut-stores-nothing",
        "a connection that is cut after storing stores nothing",
        "hangbot/sandbox/injector.py",
        before='            case "refuse" | "cut_before_store":\n',
        after='            case "refuse" | "cut_before_store" | "cut_after_store":\n',
        killed_by=(
            "tests/sandbox/chat/test_request.py::test_a_cut_connection_stores_or_does_not_as_it_says",
        ),
    ),
    Mutant(
        "fault-never-hits",
        "a fault of the sandbox never counts as hit",
        "hangbot/sandbox/faults.py",
        before="            armed.hits += 1\n",
        after="",
        killed_by=("tests/sandbox/test_faults.py::test_a_fault_hits_exactly_as_often_as_told",),
    ),
    Mutant(
        "time-goes-back",
        "the sandbox reads a time to begin from as one to go back from",
        "hangbot/sandbox/chat/paging.py",
        before='return "append" if forward and any(name in query for name in _FORWARD) else default',
        after="return default",
        killed_by=("tests/sandbox/chat/test_paging.py::test_which_way_a_list_goes_and_from_where",),
    ),
    Mutant(
        "any-method-upgrades",
        "the sandbox's room makes a connection of whatever method asks for one",
        "hangbot/sandbox/room/handshake.py",
        before='        if request.method != "GET":\n',
        after="        if False:\n",
        killed_by=("tests/sandbox/room/test_handshake.py::test_only_a_get_becomes_a_connection",),
    ),
)
