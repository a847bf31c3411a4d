"""What is counted, for Prometheus. No label ever names a person, a room or a reference."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
            return Counter(f"wenk_{name}", text, labels, registry=self.registry)

        def gauge(name: str, text: str, labels: tuple[str, ...] = ()) -> Gauge:
            return Gauge(f"wenk_{name}", text, labels, registry=self.registry)

        self.received = counter("received", "Messages of people that were handled")
        self.refused = counter("refused", "Messages that were refused unexecuted, by reason", ("reason",))
        self.sent = counter("cards_sent", "Cards that the homeserver acknowledged, by kind", ("kind",))
        self.redacted = counter("redactions", "Events that were emptied")
        self.rooms_closed = counter("rooms_closed", "Rooms that were emptied and left")
        self.faults = counter("faults", "Steps that failed and are tried again, by part", ("part",))
        self.due_done = counter("due_done", "Due work that was done")
        self.alarm = gauge("alarm", "1 while something needs a person, by code", ("code",))
        self.inbox = gauge("inbox_waiting", "Messages waiting to be handled, or for their key")
        self.outbox = gauge("outbox_waiting", "Cards and redactions waiting to be sent")
        self.clock_offset = gauge("clock_offset_seconds", "The process's clock minus the homeserver's")
        self.last_sync = gauge("last_sync_timestamp_seconds", "When the homeserver last answered the long poll")
        self.requests = gauge("homeserver_requests", "Requests sent to the homeserver since the start")

    def raise_alarm(self, code: str, *, on: bool = True) -> None:
        self.alarm.labels(code=code).set(1 if on else 0)
