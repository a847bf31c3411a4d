"""The tables. What each holds about a child is sealed; what is in clear says nothing about one.

Moments are whole milliseconds since 1970 (UTC), days are dates in Amsterdam. Every table that may differ
by region carries `region_id`.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
    text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite counts rows up by itself only for a column of exactly this type.
Identity = BigInteger().with_variant(Integer, "sqlite")


def _region() -> Column[int]:
    return Column("region_id", ForeignKey("region.id"), nullable=False)


def _signal(name: str, *, primary_key: bool = False) -> Column[int]:
    return Column(name, ForeignKey("signal.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key)


region = Table(
    "region",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
)

organisation = Table(
    "organisation",
    metadata,
    Column("id", Identity, primary_key=True),
    _region(),
    Column("ref", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Index(None, "region_id", "folded", unique=True),
)

person = Table(
    "person",
    metadata,
    Column("user_id", Text, primary_key=True),
    _region(),
    Column("coordinator", Boolean, nullable=False),
    # none: not a professional; active; suspended
    Column("professional", Text, nullable=False),
    Column("organisation_id", ForeignKey("organisation.id")),
    Column("full_name", Text, nullable=False),
    Column("function", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("language", Text, nullable=False),
)

# The cross-signing master key at first sight: a person is who held it then.
pin = Table(
    "pin",
    metadata,
    Column("user_id", Text, primary_key=True),
    Column("master_key", Text, nullable=False),
    Column("pinned_at", BigInteger, nullable=False),
)

signal = Table(
    "signal",
    metadata,
    Column("id", Identity, primary_key=True),
    _region(),
    Column("ref", Text, nullable=False, unique=True),
    Column("owner", ForeignKey("person.user_id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("basis", Text, nullable=False),
    Column("placed_on", Date, nullable=False),
    Column("active_until", Date, nullable=False),
    Column("ended_on", Date),
    # Not what is due then, only when to look: see domain.life.next_look.
    Column("look_on", Date, nullable=False),
    # Whether its professional was asked to renew it or let it go, which happens once.
    Column("reminded", Boolean, nullable=False, server_default=false()),
    Column("key_version", Integer, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed_child", LargeBinary, nullable=False),
    # By what its tags were made: see storage.signals.generation; 0 of before that was counted.
    Column("tag_generation", BigInteger, nullable=False, server_default=text("0")),
    # Of a renewal: the number of the first of those that renewed each other, which may be erased by now. No key of
    # another table; nothing has that number again as long as a younger one is there.
    Column("chain", BigInteger),
    Index(None, "look_on"),
    Index(None, "owner"),
    # What is still under older keys is looked for in the order of these.
    Index(None, "key_version", "id"),
    Index(None, "tag_generation", "id"),
    Index(None, "chain"),
)

tag = Table(
    "tag",
    metadata,
    Column("tag", LargeBinary, primary_key=True),
    _signal("signal_id", primary_key=True),
    Index(None, "signal_id"),
    sqlite_with_rowid=False,
)

# Who of the family was told. Sealed, with whom one must tell: that would tell how old the child is.
notice = Table(
    "notice",
    metadata,
    _signal("signal_id", primary_key=True),
    # When to ask whether the family was told; none once that is of no use.
    Column("look_on", Date),
    # None: placed before this was sealed, and nothing happened since.
    Column("sealed", LargeBinary),
    Index(None, "look_on"),
)

# Two signals that were compared and decided on: auto, confirmed, refused, or under review.
pair = Table(
    "pair",
    metadata,
    _signal("low", primary_key=True),
    _signal("high", primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Index(None, "high"),
)

# A pair that a coordinator decides on, or decided on. It dies with either signal.
review = Table(
    "review",
    metadata,
    Column("id", Identity, primary_key=True),
    _region(),
    Column("ref", Text, nullable=False, unique=True),
    _signal("low"),
    _signal("high"),
    # open, yes or no
    Column("decision", Text, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    # When the coordinators are asked again; none once it is decided.
    Column("repeat_at", BigInteger),
    # It is open, and whoever may decide such a one is a party to it: nobody is asked.
    Column("undecidable", Boolean, nullable=False, server_default=false()),
    Index(None, "low", "high", unique=True),
    Index(None, "high"),
    Index(None, "repeat_at"),
)

# What a second coordinator has to agree with, or did.
approval = Table(
    "approval",
    metadata,
    Column("id", Identity, primary_key=True),
    _region(),
    Column("ref", Text, nullable=False, unique=True),
    Column("asked_by", ForeignKey("person.user_id"), nullable=False),
    # open, yes, no or lapsed
    Column("decision", Text, nullable=False),
    # When it lapses; none once it is decided.
    Column("lapses_at", BigInteger),
    # What is asked, and about whom; emptied once it is decided.
    Column("sealed", LargeBinary),
    Index(None, "lapses_at"),
)

# Signals whose matches are looked at once more in a moment, apart from what made them change.
rematch = Table(
    "rematch",
    metadata,
    _signal("signal_id", primary_key=True),
    Column("wanted_at", BigInteger, nullable=False),
    Index(None, "wanted_at"),
)

introduction = Table(
    "introduction",
    metadata,
    Column("id", Identity, primary_key=True),
    _region(),
    Column("ref", Text, nullable=False, unique=True),
    # open or closed
    Column("state", Text, nullable=False),
    Column("opened_on", Date, nullable=False),
    Column("call_by", Date, nullable=False),
    # Set while fewer than two take part: the day on which it closes.
    Column("close_on", Date),
    Index(None, "close_on"),
)

participation = Table(
    "participation",
    metadata,
    Column("introduction_id", ForeignKey("introduction.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", ForeignKey("person.user_id"), primary_key=True),
    # Gone when the signal is erased; the person then takes no part any more.
    Column("signal_id", ForeignKey("signal.id", ondelete="SET NULL")),
    Column("active", Boolean, nullable=False),
    # Whether this person has been seen in the room, so that a newcomer is announced once.
    Column("arrived", Boolean, nullable=False),
    Index(None, "signal_id"),
    Index(None, "user_id"),
)

# The access log of a signal: who was told of it, when and how. Dies with the signal.
disclosure = Table(
    "disclosure",
    metadata,
    Column("id", Identity, primary_key=True),
    _signal("signal_id"),
    Column("told", ForeignKey("person.user_id"), nullable=False),
    # match, earlier, silent (took part while frozen: the name only) or review
    Column("how", Text, nullable=False),
    Column("told_at", BigInteger, nullable=False),
    Index(None, "signal_id", "told"),
)

room = Table(
    "room",
    metadata,
    # Random; also the alias's local part and the marker in the room, so it must say nothing.
    Column("id", Text, primary_key=True),
    _region(),
    # desk or introduction
    Column("purpose", Text, nullable=False),
    Column("owner", ForeignKey("person.user_id"), unique=True),
    Column("introduction_id", ForeignKey("introduction.id"), unique=True),
    Column("alias", Text, nullable=False, unique=True),
    Column("matrix_id", Text, unique=True),
    # wanted, open, closing or closed
    Column("state", Text, nullable=False),
    # What was written in it until then is to be emptied, while it stays open.
    Column("empty_until", BigInteger),
    Index(None, "state"),
)

member = Table(
    "member",
    metadata,
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, primary_key=True),
    Column("wanted", Boolean, nullable=False),
    # What the server said last: none, invite, join or leave.
    Column("membership", Text, nullable=False),
    Index(None, "user_id"),
)

inbox = Table(
    "inbox",
    metadata,
    # The order in which the server gave the events; shared with the bot's own cards.
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    _region(),
    Column("event_id", Text, nullable=False, unique=True),
    Column("matrix_room", Text, nullable=False),
    Column("sender", Text, nullable=False),
    # new, waiting (for its key) or done
    Column("state", Text, nullable=False),
    # Of an event whose key has not come.
    Column("session_id", Text),
    Column("sealed", LargeBinary),
    Column("received_at", BigInteger, nullable=False),
    Index(None, "state", "position"),
    Index(None, "session_id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("seq", Identity, primary_key=True),
    _region(),
    # The card's `wenk.id` and its Matrix transaction id.
    Column("id", Text, nullable=False, unique=True),
    Column("room_id", ForeignKey("room.id", ondelete="CASCADE"), nullable=False),
    # card, redaction, reaction, pin or purge
    Column("action", Text, nullable=False),
    Column("kind", Text, nullable=False),
    # The event to redact, to react to or to pin; the document to purge.
    Column("target", Text),
    Column("sealed", LargeBinary),
    # pending or sent
    Column("state", Text, nullable=False),
    Column("posted_at", BigInteger, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("event_id", Text),
    # Where the card itself stood in the timeline, once seen there.
    Column("position", BigInteger),
    # How many signed devices could read it.
    Column("devices", Integer),
    # Cards that hold a child's data are redacted this long after they were sent; then that is at:
    Column("lifetime_ms", BigInteger),
    Column("redact_at", BigInteger),
    # Where on the server the encrypted document is that goes with the card.
    Column("document", Text),
    Index(None, "state", "room_id"),
    Index(None, "redact_at"),
    Index(None, "event_id"),
)

# What a desk waits for: at most one open question, and the family just signalled.
question = Table(
    "question",
    metadata,
    Column("user_id", ForeignKey("person.user_id"), primary_key=True),
    Column("slot", Text, primary_key=True),
    Column("card_id", Text, nullable=False),
    # Emptied when the hour is over.
    Column("sealed", LargeBinary),
    Column("expires_at", BigInteger, nullable=False),
    Index(None, "expires_at"),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _region(),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
    Index(None, "who", "what", "at"),
)

# The place in the server's timeline up to which everything is in the inbox.
progress = Table(
    "progress",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("token", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    # Whose crypto store took it in, and how many batches that had seen then.
    Column("device_id", Text),
    Column("batches", BigInteger),
)

# What is done once a day and was done, so that no restart does it again.
daily = Table(
    "daily",
    metadata,
    _region(),
    Column("task", Text, primary_key=True),
    Column("day", Date, nullable=False),
)

# How far the journal of erasures was when this was committed; see storage.journal.
journal = Table(
    "journal",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("journal", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("link", Text, nullable=False),
)

# Under which keys everything is to be; see storage.rotation.
rotation = Table(
    "rotation",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key_version", Integer, nullable=False),
    Column("tag_generation", BigInteger, nullable=False),
    # The versions of the master key that there were, as "1 2".
    Column("masters", Text, nullable=False),
    Column("finished", Boolean, nullable=False),
)

# Only in a backup, and in what was loaded from one until everything is set right.
backup = Table(
    "backup",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("made_at", BigInteger, nullable=False),
    # Loaded by `wenk restore`, which erases again what the journal names; a bare copy is not.
    Column("loaded", Boolean, nullable=False),
)
