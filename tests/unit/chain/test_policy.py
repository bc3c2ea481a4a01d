"""Who gets what: thresholds, rules, and the one answer for recipients that differ."""

from __future__ import annotations

import pytest

from filterd.chain import replies
from filterd.chain.policy import Policy
from filterd.chain.policy_settings import (
    PolicyError,
    PolicyRule,
    PolicySettings,
    VirusWord,
    mistakes_in,
)
from filterd.chain.verdict import (
    Action,
    Edit,
    Infection,
    Reason,
    RecipientAction,
    RemovedPart,
    Reply,
    Splice,
    Symbol,
    Verdict,
)
from filterd.message import Client, Envelope, Recipient
from tests.helpers.growth import is_linear

INF = float("inf")


def envelope(*recipients: str, client: str = "192.0.2.7", login: str = "") -> Envelope:
    return Envelope(
        "a@x.test",
        tuple(Recipient(r) for r in recipients),
        Client("c.x.test", client),
        macros={"{auth_authen}": login} if login else {},
    )


def scored(points: float) -> Verdict:
    return Verdict(symbols=(Symbol("TEST", points),))


@pytest.mark.parametrize(
    ("points", "action", "labelled", "stored", "reason"),
    [
        (-3.0, Action.ACCEPT, False, False, ""),
        (4.99, Action.ACCEPT, False, False, ""),
        (5.0, Action.ACCEPT, True, False, ""),
        (7.99, Action.ACCEPT, True, False, ""),
        (8.0, Action.QUARANTINE, True, True, "spam"),
        (14.99, Action.QUARANTINE, True, True, "spam"),
        (15.0, Action.REJECT, True, True, "spam"),
        (1000.0, Action.REJECT, True, True, "spam"),
    ],
)
def test_default_thresholds(
    points: float, action: Action, labelled: bool, stored: bool, reason: str
) -> None:
    decision = Policy(PolicySettings()).decide(scored(points), envelope("ann@mx.test"))
    assert (decision.action, decision.labelled) == (action, labelled)
    assert (decision.store, decision.reason) == (stored, reason)


@pytest.mark.parametrize(
    ("verdict", "action", "reply"),
    [
        (scored(20), Action.REJECT, replies.SPAM),
        (Verdict(Action.REJECT, virus="Eicar"), Action.REJECT, replies.VIRUS),
        (Verdict(Action.REJECT), Action.REJECT, replies.POLICY),
        (
            Verdict(Action.REJECT, reply=Reply(552, "5.3.4", "Too big")),
            Action.REJECT,
            Reply(552, "5.3.4", "Too big"),
        ),
        (Verdict(Action.REJECT, reply=replies.BANNED), Action.REJECT, replies.BANNED),
        # A virus is told in the policy's words, unless a filter has words that it alone knows.
        (
            Verdict(Action.REJECT, virus="Eicar", reply=replies.BANNED),
            Action.REJECT,
            replies.VIRUS,
        ),
        (
            Verdict(Action.REJECT, virus="Eicar", reply=Reply(550, "5.7.1", "Own")),
            Action.REJECT,
            Reply(550, "5.7.1", "Own"),
        ),
        # A reply without a refusal by its filter is not the answer to spam.
        (
            Verdict(symbols=(Symbol("TEST", 20),), reply=Reply(550, "5.7.1", "Own")),
            Action.REJECT,
            replies.SPAM,
        ),
        (
            Verdict(apart=(RecipientAction("ann@mx.test", Action.REJECT, "list"),)),
            Action.REJECT,
            replies.POLICY,
        ),
        (Verdict(Action.TEMPFAIL), Action.TEMPFAIL, replies.DELAY),
        (
            Verdict(Action.TEMPFAIL, reply=Reply(451, "4.7.1", "Greylisted")),
            Action.TEMPFAIL,
            Reply(451, "4.7.1", "Greylisted"),
        ),
        (
            Verdict(
                apart=(RecipientAction("ann@mx.test", Action.TEMPFAIL, "list"),),
                reply=Reply(550, "5.7.1", "Of another action"),
            ),
            Action.TEMPFAIL,
            replies.DELAY,
        ),
        (
            Verdict(Action.TEMPFAIL, failed=True),
            Action.TEMPFAIL,
            replies.TROUBLE,
        ),
        # Certain spam is refused even while a scanner is down.
        (Verdict(Action.TEMPFAIL, (Symbol("TEST", 20),)), Action.REJECT, replies.SPAM),
    ],
)
def test_what_the_client_is_told(verdict: Verdict, action: Action, reply: Reply) -> None:
    decision = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test"))
    assert (decision.action, decision.reply) == (action, reply)


APART = (RecipientAction("ann@mx.test", Action.QUARANTINE, "list"),)
REMOVED = (RemovedPart("a.exe", "banned", 10, 20),)


@pytest.mark.parametrize(
    ("verdict", "action", "reason"),
    [
        (Verdict(), Action.ACCEPT, ""),
        (scored(9), Action.QUARANTINE, "spam"),
        (scored(20), Action.REJECT, "spam"),
        (Verdict(Action.QUARANTINE), Action.QUARANTINE, "policy"),
        (Verdict(Action.DISCARD), Action.DISCARD, "policy"),
        (Verdict(Action.REJECT), Action.REJECT, "policy"),
        (Verdict(apart=APART), Action.QUARANTINE, "policy"),
        (Verdict(Action.QUARANTINE, failed=True), Action.QUARANTINE, "failed"),
        (Verdict(Action.QUARANTINE, banned=True), Action.QUARANTINE, "banned"),
        (Verdict(Action.QUARANTINE, removed=REMOVED), Action.QUARANTINE, "banned"),
        (Verdict(Action.QUARANTINE, banned=True, failed=True), Action.QUARANTINE, "banned"),
        (Verdict(apart=APART, removed=REMOVED), Action.QUARANTINE, "banned"),
        (Verdict(Action.QUARANTINE, banned=True, virus="Eicar"), Action.REJECT, "virus"),
        # Points alone: that a part was removed is not why it is held.
        (scored(9) | Verdict(removed=REMOVED), Action.QUARANTINE, "spam"),
        (Verdict(removed=REMOVED), Action.ACCEPT, "stripped"),
        (Verdict(Action.TEMPFAIL), Action.TEMPFAIL, "failed"),
    ],
)
def test_why_it_is_kept(verdict: Verdict, action: Action, reason: str) -> None:
    decision = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test"))
    assert (decision.action, decision.reason) == (action, reason)


RULES = (
    PolicyRule("ann reads all", recipients=("ann@mx.test",), quarantine=INF, reject=INF),
    PolicyRule("postmaster", recipients=("postmaster@mx.test",), at_most="accept"),
    PolicyRule("strict", recipients=(".strict.test",), label=2, quarantine=3, reject=4),
    PolicyRule("only this domain", recipients=("sub.test",), reject=9),
    PolicyRule("logged in", authenticated=True, at_most="quarantine"),
    PolicyRule("office", clients=("198.51.100.0/24", "local"), reject=INF),
)


@pytest.mark.parametrize(
    ("pattern", "address", "resolved"),
    [
        ("team@mx.test", '"team"@mx.test', ""),
        ("team@mx.test", "@relay.test:team@mx.test", ""),
        ("team@mx.test", "team+x@mx.test", ""),
        ("team@mx.test", "TEAM@MX.TEST.", ""),
        ("postmaster@mx.test", "postmaster", ""),
        ("postmaster@mx.test", "PostMaster", "postmaster"),
        ("host.test", "postmaster", ""),
        ("mx.test", "postmaster", "postmaster@mx.test"),
        # What only the MTA knows: the percent hack, comments, an address of another domain.
        ("team@mx.test", "team%mx.test@mx.test", "team@mx.test"),
        ("team@mx.test", "team%mx.test@mx.test", "team"),
        ("team@mx.test", "team (of ours)@mx.test", "team"),
        ("j\u00fcrgen@mx.test", "j\udcc3\udcbcrgen@mx.test", ""),
        ("m\u00fcller.test", "joe@xn--mller-kva.test", ""),
        ("xn--mller-kva.test", "joe@m\u00fcller.test", ""),
    ],
)
def test_a_rule_is_for_the_mailbox_however_it_is_spelled(
    pattern: str, address: str, resolved: str
) -> None:
    policy = Policy(PolicySettings(rules=(PolicyRule("ours", recipients=(pattern,)),)))
    recipient = Recipient(address, (), resolved)
    sent = Envelope("a@x.test", (recipient,), macros={"j": "host.test"})
    assert policy.thresholds(recipient, sent).rule == "ours"


@pytest.mark.parametrize(
    ("recipient", "client", "login", "rule"),
    [
        ("ann@mx.test", "192.0.2.7", "", "ann reads all"),
        ("ANN@MX.test", "192.0.2.7", "", "ann reads all"),
        ("postmaster@mx.test", "192.0.2.7", "", "postmaster"),
        ("x@strict.test", "192.0.2.7", "", "strict"),
        ("x@deep.strict.test", "192.0.2.7", "", "strict"),
        ("x@notstrict.test", "192.0.2.7", "", "default"),
        ("x@sub.test", "192.0.2.7", "", "only this domain"),
        ("x@below.sub.test", "192.0.2.7", "", "default"),
        ("x@mx.test", "192.0.2.7", "joe", "logged in"),
        ("x@mx.test", "198.51.100.9", "", "office"),
        ("x@mx.test", "127.0.0.1", "", "office"),
        ("x@mx.test", "", "", "office"),
        ("x@mx.test", "2001:db8::1", "", "default"),
        ("x@mx.test", "no address", "", "default"),
    ],
)
def test_the_first_rule_that_matches_counts(
    recipient: str, client: str, login: str, rule: str
) -> None:
    policy = Policy(PolicySettings(rules=RULES))
    sent = envelope(recipient, client=client, login=login)
    assert policy.thresholds(sent.recipients[0], sent).rule == rule


def test_a_rule_softens_the_score_but_not_a_virus() -> None:
    policy = Policy(PolicySettings(rules=RULES))
    sent = envelope("postmaster@mx.test")
    assert policy.decide(scored(99), sent).action is Action.ACCEPT
    assert policy.decide(Verdict(Action.REJECT, virus="V"), sent).action is Action.REJECT


# Recipients who differ: e accepts everything, q quarantines from 8, r rejects from 15.
MIXED = PolicySettings(
    rules=(
        PolicyRule("e", recipients=("e@mx.test",), quarantine=INF, reject=INF),
        PolicyRule("q", recipients=("q@mx.test",), reject=INF),
    )
)


@pytest.mark.parametrize(
    ("recipients", "points", "action", "dropped", "held"),
    [
        ("e q r", 4, Action.ACCEPT, "", ""),
        ("e q r", 9, Action.ACCEPT, "q r", "q r"),
        ("q r", 9, Action.QUARANTINE, "", "q r"),
        ("q r", 20, Action.QUARANTINE, "", "q r"),  # r's reject needs all
        ("e r", 20, Action.ACCEPT, "r", "r"),
        ("r", 20, Action.REJECT, "", ""),
    ],
)
def test_recipients_with_different_policies(
    recipients: str, points: float, action: Action, dropped: str, held: str
) -> None:
    def addresses(names: str) -> tuple[str, ...]:
        return tuple(f"{name}@mx.test" for name in names.split())

    decision = Policy(MIXED).decide(scored(points), envelope(*addresses(recipients)))
    assert decision.action is action
    assert decision.drop_recipients == addresses(dropped)
    assert decision.held_for == addresses(held)
    assert decision.store == bool(held) or action is Action.REJECT


def test_whatever_leaves_the_mail_flow_is_stored() -> None:
    """For every score and every forced action: nothing is taken away without a stored copy."""
    policy = Policy(MIXED)
    sent = envelope("e@mx.test", "q@mx.test", "r@mx.test")
    for forced in Action:
        for points in (0, 6, 9, 20):
            verdict = Verdict(forced, (Symbol("TEST", points),))
            decision = policy.decide(verdict, sent)
            gone = decision.action in (Action.QUARANTINE, Action.DISCARD)
            if gone or decision.drop_recipients:
                assert decision.store, (forced, points)
                assert set(decision.drop_recipients) <= set(decision.held_for)
            if gone:
                assert set(decision.held_for) == {r.address for r in sent.recipients}


def test_a_stripped_original_is_stored_though_all_recipients_get_the_rest() -> None:
    verdict = Verdict(removed=(RemovedPart("a.exe", "banned", 10, 20),))
    decision = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test"))
    assert (decision.action, decision.store, decision.reason) == (Action.ACCEPT, True, "stripped")
    assert decision.held_for == ()


def test_one_tempfail_is_everybodys() -> None:
    decision = Policy(MIXED).decide(
        Verdict(Action.TEMPFAIL, (Symbol("TEST", 9),)), envelope("e@mx.test", "q@mx.test")
    )
    assert decision.action is Action.TEMPFAIL
    assert {outcome.action for outcome in decision.outcomes} == {Action.TEMPFAIL}
    assert not decision.drop_recipients


def test_the_mta_may_hold_the_message_instead_of_the_store() -> None:
    policy = Policy(PolicySettings(quarantine_in="mta", label=4, subject_tag="[spam] "))
    decision = policy.decide(scored(9), envelope("ann@mx.test"))
    assert (decision.action, decision.mta_quarantine) == (Action.QUARANTINE, "spam")
    assert (decision.reason, decision.store, decision.held_for) == ("spam", False, ())
    # It may be released from there: it carries the labels.
    assert (decision.labelled, decision.required) == (True, 4)
    assert decision.subject_tag == "[spam] "
    assert [(o.recipient, o.action) for o in decision.outcomes] == [
        ("ann@mx.test", Action.QUARANTINE)
    ]


@pytest.mark.parametrize(
    ("others", "action"), [(Action.ACCEPT, Action.ACCEPT), (Action.DISCARD, Action.QUARANTINE)]
)
def test_the_mta_cannot_hold_it_for_some_recipients_only(others: Action, action: Action) -> None:
    verdict = Verdict(
        apart=(
            RecipientAction("ann@mx.test", Action.QUARANTINE, "list"),
            RecipientAction("joe@mx.test", others, "list"),
        )
    )
    decision = Policy(PolicySettings(quarantine_in="mta")).decide(
        verdict, envelope("ann@mx.test", "joe@mx.test")
    )
    assert (decision.action, decision.mta_quarantine, decision.store) == (action, None, True)
    assert "ann@mx.test" in decision.held_for


@pytest.mark.parametrize("keep", [True, False])
def test_what_is_refused_is_kept_if_the_site_wants_it(keep: bool) -> None:
    settings = PolicySettings(keep_rejected=keep, label=4, subject_tag="[spam] ")
    decision = Policy(settings).decide(scored(20), envelope("ann@mx.test"))
    assert (decision.action, decision.store) == (Action.REJECT, keep)
    assert (decision.labelled, decision.required) == (True, 4)
    assert (decision.held_for, decision.edits) == ((), ())


@pytest.mark.parametrize("points", [0, 9, 20])
def test_a_message_without_recipients_gets_the_defaults(points: float) -> None:
    """`filterd scan` of a file, for example. Nobody is named as who it is held for."""
    decision = Policy(PolicySettings(rules=RULES[:4])).decide(scored(points), Envelope(""))
    alone = Policy(PolicySettings()).decide(scored(points), envelope("ann@mx.test"))
    assert (decision.action, decision.store) == (alone.action, alone.store)
    assert [(o.recipient, o.rule) for o in decision.outcomes] == [("", "default")]
    assert decision.held_for == ()


@pytest.mark.parametrize(
    ("keep", "held_for", "reason"), [(True, ("ann@mx.test",), "discarded"), (False, (), "")]
)
def test_points_may_discard_where_a_rule_limits_them_to_that(
    keep: bool, held_for: tuple[str, ...], reason: str
) -> None:
    rule = PolicyRule("quiet", at_most="discard")
    policy = Policy(PolicySettings(rules=(rule,), keep_discarded=keep, label=4))
    decision = policy.decide(scored(20), envelope("ann@mx.test"))
    assert (decision.action, decision.store) == (Action.DISCARD, keep)
    assert (decision.held_for, decision.reason) == (held_for, reason)
    assert (decision.labelled, decision.required) == (True, 4)


def test_what_a_person_released_is_delivered_as_it_is_and_stopped_by_a_virus_alone() -> None:
    policy = Policy(PolicySettings(keep_discarded=False, subject_tag="[spam] ", virus="discard"))
    released = Verdict(symbols=(Symbol("TEST", 20),), released="id1")
    decision = policy.decide(released, envelope("ann@mx.test"))
    assert (decision.action, decision.store, decision.reason) == (Action.ACCEPT, False, "")
    assert (decision.labelled, decision.subject_tag) == (False, "")
    # The person must be able to see what became of it: it is kept, whatever the settings say.
    decision = policy.decide(released | Verdict(virus="Eicar"), envelope("ann@mx.test"))
    assert (decision.action, decision.store, decision.reason) == (Action.DISCARD, True, "virus")
    assert decision.held_for == ("ann@mx.test",)


def test_what_one_does_not_get_is_spam_though_another_gets_a_copy_without_a_part() -> None:
    """The store's reason is that of the copy that is held."""
    verdict = scored(9) | Verdict(removed=REMOVED)
    decision = Policy(MIXED).decide(verdict, envelope("e@mx.test", "q@mx.test"))
    assert (decision.action, decision.drop_recipients) == (Action.ACCEPT, ("q@mx.test",))
    assert (decision.store, decision.reason) == (True, "spam")


def test_what_the_mta_holds_without_a_part_is_stored_whole() -> None:
    cut = Splice(10, 20, b"gone")
    verdict = Verdict(
        symbols=(Symbol("TEST", 9),), edits=(cut,), removed=(RemovedPart("a", "banned", 10, 20),)
    )
    decision = Policy(PolicySettings(quarantine_in="mta")).decide(verdict, envelope("ann@mx.test"))
    assert (decision.mta_quarantine, decision.store) == (decision.reason, True)
    assert decision.edits == (cut,)


@pytest.mark.parametrize(
    ("keep_discarded", "held_for"),
    [(True, ("joe@mx.test", "max@mx.test")), (False, ("joe@mx.test",))],
)
def test_a_discarded_copy_beside_one_that_is_delivered(
    keep_discarded: bool, held_for: tuple[str, ...]
) -> None:
    """ann gets it, joe's is held, max's is discarded: the store holds what nobody else has."""
    verdict = Verdict(
        apart=(
            RecipientAction("joe@mx.test", Action.QUARANTINE, "list"),
            RecipientAction("max@mx.test", Action.DISCARD, "list"),
        )
    )
    decision = Policy(PolicySettings(keep_discarded=keep_discarded)).decide(
        verdict, envelope("ann@mx.test", "joe@mx.test", "max@mx.test")
    )
    assert decision.action is Action.ACCEPT
    assert decision.drop_recipients == ("joe@mx.test", "max@mx.test")
    assert (decision.store, decision.held_for) == (True, held_for)


def test_discarded_copies_alone_are_kept_beside_one_that_is_delivered() -> None:
    verdict = Verdict(apart=(RecipientAction("max@mx.test", Action.DISCARD, "list"),))
    decision = Policy(PolicySettings(keep_discarded=True)).decide(
        verdict, envelope("ann@mx.test", "max@mx.test")
    )
    assert (decision.store, decision.held_for) == (True, ("max@mx.test",))


STRICT = PolicySettings(
    label=5,
    subject_tag="[?] ",
    rules=(
        PolicyRule("s", recipients=("s@mx.test",), label=1, quarantine=3, subject_tag="[spam] "),
        PolicyRule("t", recipients=("t@mx.test",), label=2, subject_tag=""),
    ),
)


@pytest.mark.parametrize(
    ("recipients", "points", "labelled", "required", "tag"),
    [
        ("ann", 2, False, 5, ""),
        ("ann", 5, True, 5, "[?] "),
        ("ann s", 2, True, 1, "[spam] "),
        ("ann t", 2, True, 2, ""),
        ("ann t", 1, False, 2, ""),
        # Who does not get it does not label what others get.
        ("ann s", 4, False, 5, ""),
        ("ann s t", 4, True, 2, ""),
        # Refused or deferred for all: the threshold of the strictest.
        ("ann s", 20, True, 1, ""),
    ],
)
def test_the_label_is_that_of_the_strictest_who_receives(
    recipients: str, points: float, labelled: bool, required: float, tag: str
) -> None:
    sent = envelope(*(f"{name}@mx.test" for name in recipients.split()))
    decision = Policy(STRICT).decide(scored(points), sent)
    assert (decision.labelled, decision.required) == (labelled, required)
    assert decision.subject_tag == tag
    deferred = Policy(STRICT).decide(Verdict(Action.TEMPFAIL), sent)
    assert (deferred.labelled, deferred.store, deferred.edits) == (False, False, ())
    assert deferred.required == min(5, *({"s": 1, "t": 2}.get(n, 5) for n in recipients.split()))


def test_a_rule_has_its_own_points_and_the_defaults_for_the_rest() -> None:
    settings = PolicySettings(
        label=4,
        quarantine=7,
        reject=9,
        subject_tag="[?] ",
        virus="strip",
        rules=(
            PolicyRule("label", recipients=("label@mx.test",), label=1),
            PolicyRule("quarantine", recipients=("quarantine@mx.test",), quarantine=8),
            PolicyRule("reject", recipients=("reject@mx.test",), reject=20),
            PolicyRule("tag", recipients=("tag@mx.test",), subject_tag=""),
            PolicyRule("virus", recipients=("virus@mx.test",), virus="reject"),
        ),
    )
    sent = envelope(
        *(f"{name}@mx.test" for name in "ann label quarantine reject tag virus".split())
    )
    found = [Policy(settings).thresholds(recipient, sent) for recipient in sent.recipients]
    assert [(t.rule, t.label, t.quarantine, t.reject, t.subject_tag, t.virus) for t in found] == [
        ("default", 4, 7, 9, "[?] ", "strip"),
        ("label", 1, 7, 9, "[?] ", "strip"),
        ("quarantine", 4, 8, 9, "[?] ", "strip"),
        ("reject", 4, 7, 20, "[?] ", "strip"),
        ("tag", 4, 7, 9, "", "strip"),
        ("virus", 4, 7, 9, "[?] ", "reject"),
    ]
    assert {threshold.at_most for threshold in found} == {Action.REJECT}


@pytest.mark.parametrize(
    ("settings", "key", "text"),
    [
        (PolicySettings(label=9), ("policy", "label"), "label = 9 is above quarantine = 8"),
        (PolicySettings(reject=7), ("policy", "quarantine"), "quarantine = 8 is above reject = 7"),
        # A label that is switched off excuses nothing else.
        (
            PolicySettings(label=INF, quarantine=10, reject=5),
            ("policy", "quarantine"),
            "quarantine = 10 is above reject = 5",
        ),
        (
            PolicySettings(rules=(PolicyRule(reject=2),)),
            ("policy", "rules", 0, "quarantine"),
            "above reject = 2",
        ),
        (
            PolicySettings(rules=(PolicyRule(clients=("300.1.2.3",)),)),
            ("policy", "rules", 0, "clients", 0),
            "'300.1.2.3' is not a network",
        ),
        (PolicySettings(label=float("nan")), ("policy", "label"), "not a number"),
        (PolicySettings(quarantine=float("nan")), ("policy", "quarantine"), "not a number"),
        (
            PolicySettings(rules=(PolicyRule(), PolicyRule(recipients=("ann@mx.test", "a b")))),
            ("policy", "rules", 1, "recipients", 1),
            "'a b' has spaces or control characters",
        ),
        (
            PolicySettings(rules=(PolicyRule(subject_tag="a\nb"),)),
            ("policy", "rules", 0, "subject_tag"),
            "not one line",
        ),
        (
            PolicySettings(rules=(PolicyRule(label=10), PolicyRule())),
            ("policy", "rules", 0, "label"),
            "label = 10 is above quarantine = 8; expected label <= quarantine <= reject",
        ),
    ],
)
def test_contradictions_are_named(
    settings: PolicySettings, key: tuple[str | int, ...], text: str
) -> None:
    with pytest.raises(PolicyError, match=text) as caught:
        Policy(settings)
    assert key in caught.value.keys


@pytest.mark.parametrize(
    ("forced", "points", "apart", "action", "rule"),
    [
        (Action.ACCEPT, 0, Action.ACCEPT, Action.ACCEPT, "default"),
        (Action.ACCEPT, 0, Action.QUARANTINE, Action.QUARANTINE, "list"),
        (Action.ACCEPT, 9, Action.QUARANTINE, Action.QUARANTINE, "default"),
        (Action.ACCEPT, 9, Action.DISCARD, Action.DISCARD, "list"),
        (Action.ACCEPT, 20, Action.DISCARD, Action.REJECT, "default"),
        (Action.DISCARD, 9, Action.QUARANTINE, Action.DISCARD, "default"),
        (Action.DISCARD, 20, Action.QUARANTINE, Action.REJECT, "default"),
        (Action.QUARANTINE, 0, Action.REJECT, Action.REJECT, "list"),
    ],
)
def test_the_strongest_of_all_counts_and_is_named(
    forced: Action, points: float, apart: Action, action: Action, rule: str
) -> None:
    """What is forced for all, what the points earn, what is forced for this recipient."""
    mine = RecipientAction("ann@mx.test", apart, "list")
    verdict = Verdict(forced, (Symbol("TEST", points),), apart=(mine,))
    (outcome,) = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test")).outcomes
    assert (outcome.action, outcome.rule) == (action, rule)


@pytest.mark.parametrize(
    ("label", "quarantine", "reject"),
    [(5, 5, 5), (INF, 8, 15), (5, INF, INF), (INF, INF, INF), (-INF, 8, 15), (5, 8, INF)],
)
def test_equal_points_and_an_action_that_is_switched_off_are_no_contradiction(
    label: float, quarantine: float, reject: float
) -> None:
    rule = PolicyRule(label=label, quarantine=quarantine, reject=reject)
    settings = PolicySettings(label, quarantine, reject, rules=(rule,))
    assert list(mistakes_in(settings)) == []
    assert Policy(settings).decide(scored(5), envelope("a@mx.test")).required == label


def test_all_mistakes_are_found_at_once() -> None:
    settings = PolicySettings(
        label=9,
        replies={"spam": "no", "virus": "neither"},
        rules=(PolicyRule(recipients=("a b",), clients=("x",)), PolicyRule(clients=("1", "y"))),
    )
    assert [error.keys for error in mistakes_in(settings)] == [
        (("policy", "label"), ("policy", "quarantine")),
        (("policy", "replies", "spam"),),
        (("policy", "replies", "virus"),),
        (("policy", "rules", 0, "recipients", 0),),
        (("policy", "rules", 0, "clients", 0),),
        (("policy", "rules", 1, "clients", 0),),
        (("policy", "rules", 1, "clients", 1),),
    ]


def test_of_several_treatments_of_a_recipient_the_strongest_counts() -> None:
    apart = (
        RecipientAction("a@x.example", Action.QUARANTINE, "first"),
        RecipientAction("a@x.example", Action.REJECT, "second"),
        RecipientAction("a@x.example", Action.REJECT, "third"),
        RecipientAction("b@x.example", Action.QUARANTINE, "other"),
    )
    envelope = Envelope("", (Recipient("a@x.example"), Recipient("c@x.example")))
    decision = Policy(PolicySettings()).decide(Verdict(apart=apart), envelope)
    assert [(o.recipient, o.rule) for o in decision.outcomes] == [
        ("a@x.example", "second"),
        ("c@x.example", "default"),
    ]


def test_many_recipients_are_work_in_proportion() -> None:
    """Half of them are treated apart."""
    policy = Policy(PolicySettings())

    def made(count: int) -> tuple[Verdict, Envelope]:
        addresses = [f"user{number}@x.example" for number in range(count)]
        apart = tuple(RecipientAction(a, Action.QUARANTINE, "rule") for a in addresses[::2])
        return Verdict(apart=apart), Envelope("", tuple(map(Recipient, addresses)))

    assert len(policy.decide(*made(2000)).outcomes) == 2000
    assert is_linear(lambda one: policy.decide(*one), made, 2000)


PART = RemovedPart("x.bin", "it contains the virus Eicar", 100, 200)
TAKEN_OUT = Infection(PART, (Splice(100, 200, b"removed"),))
LOCATED = Verdict(virus="Eicar", infected=(TAKEN_OUT,))
BEFORE, BEHIND, OVERLAPS_BEFORE, OVERLAPS, AROUND_BEFORE, AROUND, INSIDE = (
    RemovedPart("y.bin", "banned", *span)
    for span in ((0, 100), (200, 300), (50, 101), (199, 300), (20, 150), (50, 250), (120, 180))
)
CUT_LATER = Splice(200, 300, b"removed as well")
LATER = Verdict(virus="Other", infected=(Infection(BEHIND, (CUT_LATER,)),))
NOT_LOCATED = Verdict(virus="Other")
CUT = Splice(10, 20, b"")
ALL_OF_IT = Verdict(virus="Other", infected=(Infection(BEFORE, (CUT,)),))
OTHER = Verdict(edits=(CUT,), removed=(RemovedPart("z.bin", "banned", 10, 20),))


@pytest.mark.parametrize(
    ("virus", "verdict", "action", "stored", "edits"),
    [
        ("reject", LOCATED, Action.REJECT, True, ()),
        ("discard", LOCATED, Action.DISCARD, True, ()),
        ("quarantine", LOCATED, Action.QUARANTINE, True, ()),
        ("strip", LOCATED, Action.ACCEPT, True, TAKEN_OUT.edits),
        # What cannot be taken out is held.
        ("strip", Verdict(virus="Eicar"), Action.QUARANTINE, True, ()),
        ("discard", Verdict(virus="Eicar"), Action.DISCARD, True, ()),
        # Beside what another filter takes out, and what is near to it.
        ("strip", OTHER | LOCATED, Action.ACCEPT, True, (CUT, *TAKEN_OUT.edits)),
        (
            "strip",
            LOCATED | Verdict(removed=(BEFORE, BEHIND)),
            Action.ACCEPT,
            True,
            TAKEN_OUT.edits,
        ),
        ("strip", LOCATED | Verdict(removed=(BEHIND, AROUND)), Action.ACCEPT, True, ()),
        # What another filter cuts would leave some of the infected part.
        ("strip", LOCATED | Verdict(removed=(OVERLAPS,)), Action.QUARANTINE, True, ()),
        ("strip", LOCATED | Verdict(removed=(OVERLAPS_BEFORE,)), Action.QUARANTINE, True, ()),
        ("strip", LOCATED | Verdict(removed=(INSIDE,)), Action.QUARANTINE, True, ()),
        ("strip", LOCATED | Verdict(removed=(AROUND, INSIDE)), Action.ACCEPT, True, ()),
        ("strip", LOCATED | Verdict(removed=(PART, INSIDE)), Action.ACCEPT, True, ()),
        ("strip", LOCATED | Verdict(removed=(AROUND_BEFORE, AROUND)), Action.ACCEPT, True, ()),
        ("strip", ALL_OF_IT, Action.ACCEPT, True, (CUT,)),
        # Another scanner finds something in the same part, in another one, and where it cannot say.
        ("strip", LOCATED | LOCATED, Action.ACCEPT, True, TAKEN_OUT.edits),
        ("strip", LATER | LOCATED, Action.ACCEPT, True, (*TAKEN_OUT.edits, CUT_LATER)),
        ("strip", LOCATED | NOT_LOCATED, Action.QUARANTINE, True, ()),
        ("strip", NOT_LOCATED | LOCATED, Action.QUARANTINE, True, ()),
        ("strip", LOCATED | NOT_LOCATED | LATER, Action.QUARANTINE, True, ()),
        ("reject", LOCATED | NOT_LOCATED, Action.REJECT, True, ()),
        # What another filter wants counts as well.
        ("strip", LOCATED | Verdict(Action.REJECT), Action.REJECT, True, ()),
        ("discard", LOCATED | Verdict(Action.TEMPFAIL), Action.TEMPFAIL, False, ()),
        # Another filter takes the same part out.
        ("strip", LOCATED | Verdict(removed=(PART,)), Action.ACCEPT, True, ()),
        # Points are another matter.
        ("strip", LOCATED | scored(20), Action.REJECT, True, ()),
    ],
)
def test_what_a_virus_means_is_a_setting(
    virus: VirusWord, verdict: Verdict, action: Action, stored: bool, edits: tuple[Edit, ...]
) -> None:
    decision = Policy(PolicySettings(virus=virus)).decide(verdict, envelope("ann@mx.test"))
    assert (decision.action, decision.store, decision.edits) == (action, stored, edits)
    assert decision.reason == ("failed" if action is Action.TEMPFAIL else "virus")


def test_a_rule_says_what_a_virus_means_for_its_recipients() -> None:
    rule = PolicyRule("analysts", recipients=("lab@mx.test",), virus="quarantine")
    policy = Policy(PolicySettings(rules=(rule,), virus="discard"))
    decision = policy.decide(LOCATED, envelope("lab@mx.test", "ann@mx.test"))
    assert {o.recipient: o.action for o in decision.outcomes} == {
        "lab@mx.test": Action.QUARANTINE,
        "ann@mx.test": Action.DISCARD,
    }
    assert not policy.strips_viruses
    assert Policy(PolicySettings(rules=(PolicyRule(virus="strip"),))).strips_viruses


def test_replies_are_settings_globally_and_by_rule() -> None:
    rule = PolicyRule(
        "ours", recipients=("ann@mx.test",), replies={"virus": "550 5.7.9 Not for Ann"}
    )
    policy = Policy(
        PolicySettings(
            rules=(rule,),
            replies={
                "spam": "554 5.7.1 No spam, call +1 555",
                "virus": "550 5.7.0 Infected",
                "trouble": "450 4.3.0 Later",
            },
        )
    )

    def told(verdict: Verdict, recipient: str) -> Reply | None:
        return policy.decide(verdict, envelope(recipient)).reply

    assert told(scored(20), "ann@mx.test") == Reply(554, "5.7.1", "No spam, call +1 555")
    assert told(LOCATED, "ann@mx.test") == Reply(550, "5.7.9", "Not for Ann")
    assert told(LOCATED, "bob@mx.test") == Reply(550, "5.7.0", "Infected")
    failed = Verdict(Action.TEMPFAIL, failed=True)
    assert told(failed, "bob@mx.test") == Reply(450, "4.3.0", "Later")
    assert told(Verdict(Action.REJECT), "bob@mx.test") == replies.POLICY
    assert policy.reply(replies.TROUBLE).code == 450
    own = Verdict(Action.REJECT, reply=Reply(552, "5.3.4", "A plugin's own"))
    assert told(own, "bob@mx.test") == own.reply


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("spma", "550 5.7.1 No", "not the name of a reply"),
        ("spam", "", "not code, enhanced code and text"),
        ("spam", "550 No", "not code, enhanced code and text"),
        ("spam", "550 5.7.1", "not code, enhanced code and text"),
        ("spam", "550 5.7.1 ", "not one line of printable ASCII"),
        ("spam", "450 4.7.1 Later", "code 450 is not 5xx"),
        ("spam", "250 2.0.0 Ok", "code 250 is not 5xx"),
        ("spam", "599 5.7.1 No", "code 599 is not an SMTP reply code"),
        ("spam", "550 4.7.1 No", "enhanced code 4.7.1 is not 5.x.x"),
        ("spam", "550 5.7.1000 No", "5.7.1000 is not an enhanced status code"),
        ("spam", "550 5.7.1 Nö", "printable ASCII"),
        ("spam", "550 5.7.1 No\r\n250 Ok", "printable ASCII"),
        ("spam", "550 5.7.1 " + "x" * 401, "401 characters"),
        ("trouble", "550 5.3.0 Never", "code 550 is not 4xx"),
        ("delay", "421 5.7.0 x", "enhanced code 5.7.0 is not 4.x.x"),
    ],
)
def test_a_reply_that_no_client_could_be_told_is_refused(kind: str, text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words) as caught:
        Policy(PolicySettings(replies={kind: text}))
    assert caught.value.keys == (("policy", "replies", kind),)
    with pytest.raises(PolicyError) as caught:
        Policy(PolicySettings(rules=(PolicyRule(replies={kind: text}),)))
    assert caught.value.keys == (("policy", "rules", 0, "replies", kind),)


@pytest.mark.parametrize("tag", ["a\nb", "a\0", "x" * 101])
def test_a_tag_is_one_short_line(tag: str) -> None:
    with pytest.raises(PolicyError, match="printable"):
        Policy(PolicySettings(subject_tag=tag))
    longest = "x" * 100
    assert Policy(PolicySettings(subject_tag=longest)).settings.subject_tag == longest


@pytest.mark.parametrize(
    ("verdict", "action", "reason", "labelled"),
    [
        (Verdict(Action.QUARANTINE, reason=Reason.DMARC), Action.QUARANTINE, "dmarc", False),
        (Verdict(Action.REJECT, reason=Reason.DMARC), Action.REJECT, "dmarc", True),
        (
            Verdict(Action.QUARANTINE) | Verdict(Action.QUARANTINE, reason=Reason.DMARC),
            Action.QUARANTINE,
            "dmarc",
            False,
        ),
        # The stronger action has its own reason.
        (
            Verdict(Action.QUARANTINE, reason=Reason.DMARC) | Verdict(Action.REJECT),
            Action.REJECT,
            "policy",
            True,
        ),
        (
            Verdict(Action.QUARANTINE, reason=Reason.DMARC) | Verdict(virus="Eicar"),
            Action.REJECT,
            "virus",
            True,
        ),
        # What is to be labelled is, whatever its points.
        (scored(-3) | Verdict(labelled=True), Action.ACCEPT, "", True),
        (Verdict(labelled=True, released="id1"), Action.ACCEPT, "", False),
    ],
)
def test_a_filter_says_why_and_may_have_mail_labelled(
    verdict: Verdict, action: Action, reason: str, labelled: bool
) -> None:
    decision = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test"))
    assert (decision.action, decision.reason, decision.labelled) == (action, reason, labelled)


def test_who_stays_among_several_gets_it_labelled() -> None:
    verdict = Verdict(
        labelled=True, apart=(RecipientAction("sue@mx.test", Action.QUARANTINE, "r"),)
    )
    decision = Policy(PolicySettings()).decide(verdict, envelope("ann@mx.test", "sue@mx.test"))
    assert (decision.drop_recipients, decision.labelled) == (("sue@mx.test",), True)
