"""Admitting pages, replaying what they missed, and passing on what happens."""

from uuid import UUID

import structlog
from prometheus_client import CollectorRegistry, Gauge
from starlette.websockets import WebSocketDisconnect

from services.chassis.clock import Clock
from services.chassis.errors import Forbidden, Invalid, Overloaded
from services.contracts.live import Channel, Ticket, UiUpdated
from services.contracts.log_processor import LogsAppended
from services.websocket_gateway.admission import Tickets, origin_allowed
from services.websocket_gateway.connection import (
    IDLE,
    RENEW,
    RESTARTING,
    UNAUTHENTICATED,
    Connection,
    Subscription,
)
from services.websocket_gateway.frames import Operation, control_frame, entry_frame, lines_frame, update_frame
from services.websocket_gateway.settings import WebSocketSettings
from services.websocket_gateway.store import HistoryStore

log = structlog.get_logger()

Audience = tuple[UUID | None, Channel]


class Gateway:
    """The open pages of this process."""

    def __init__(
        self,
        tickets: Tickets,
        history: HistoryStore,
        settings: WebSocketSettings,
        clock: Clock,
        registry: CollectorRegistry,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._tickets = tickets
        self._history = history
        self._connections: set[Connection] = set()
        self._audiences: dict[Audience, set[Subscription]] = {}
        self._open = Gauge("agentplane_websocket_connections", "Open pages", registry=registry)

    def check_origin(self, origin: str | None, host: str | None) -> None:
        """Refuse pages of origins that are not allowed, and more pages than this process takes."""
        if not origin_allowed(origin, host, self.settings.origins):
            raise Forbidden(f"pages of {origin} may not connect; see CORS_ORIGINS")
        if len(self._connections) >= self.settings.max_connections:
            raise Overloaded("too many pages are open")

    async def redeem(self, ticket: str) -> Ticket:
        """The content of a ticket, which is used up by this."""
        return await self._tickets.redeem(ticket)

    async def serve(self, connection: Connection) -> None:
        """Serve an admitted page until it leaves."""
        self._connections.add(connection)
        self._open.set(len(self._connections))
        try:
            await connection.run(self._operate)
        finally:
            self._connections.discard(connection)
            self._open.set(len(self._connections))
            for subscription in list(connection.subscriptions.values()):
                self._remove(subscription)

    async def updated(self, event: UiUpdated) -> None:
        """Pass a live change on to the pages of its organisation."""
        channel = event.data.channel
        # Nodes belong to no organisation; whose ticket names the channel may see them.
        audience = self._audiences.get((None if channel == "nodes" else event.org_id, channel))
        if audience:
            frame = update_frame(event)
            for subscription in audience:
                subscription.deliver(frame, event.data.entry.agent_id)

    async def logged(self, event: LogsAppended) -> None:
        """Pass log lines on to the pages that follow their agent."""
        audience = self._audiences.get((event.org_id, "logs"))
        if audience:
            frame = lines_frame(event)
            for subscription in audience:
                subscription.deliver(frame, event.data.agent_id)

    async def end_stale(self) -> None:
        """Close pages whose session has ended, that ask for nothing, or that need a fresh ticket."""
        now = self.clock.monotonic()
        for connection in self._connections:
            age = now - connection.opened_at
            if age > self.settings.max_age_seconds:
                connection.close(RENEW, "connect again with a fresh ticket")
            elif age > self.settings.idle_seconds and not connection.subscriptions:
                connection.close(IDLE, "no subscription")
        tickets = [each.ticket for each in self._connections]
        acting = {(each.session_id, each.org_id) for each in tickets if each.session_id is not None}
        if acting:
            ended = await self._history.ended(acting)
            for connection in self._connections:
                if (connection.ticket.session_id, connection.ticket.org_id) in ended:
                    connection.close(UNAUTHENTICATED, "the session has ended")

    async def close_all(self) -> None:
        """Send every page away; it comes back to another replica, or after the restart."""
        for connection in self._connections:
            connection.close(RESTARTING, "restarting")

    async def _operate(self, connection: Connection, operation: Operation) -> None:
        channel = operation.channel
        if channel is None:
            await connection.send(control_frame("pong"))
            return
        known = connection.subscriptions.get((channel, operation.agent_id))
        if known is not None:
            self._remove(known)
        if operation.op == "unsubscribe":
            await connection.send(control_frame("unsubscribed", channel))
            return
        self._check_subscription(connection, channel, operation)
        subscription = Subscription(connection, channel, operation.agent_id)
        connection.subscriptions[channel, operation.agent_id] = subscription
        self._audiences.setdefault(_audience(subscription), set()).add(subscription)
        try:
            await self._catch_up(subscription, operation.after_seq)
        except WebSocketDisconnect:
            raise
        except Exception:
            log.exception("subscription.failed", channel=channel)
            self._remove(subscription)
            data = {"code": "unavailable", "detail": "what was missed cannot be read now; subscribe again"}
            await connection.send(control_frame("error", channel, data=data))

    def _check_subscription(self, connection: Connection, channel: Channel, operation: Operation) -> None:
        if channel not in connection.ticket.channels:
            raise Invalid(f"/channel: the ticket does not name {channel}")
        if len(connection.subscriptions) >= self.settings.max_subscriptions:
            raise Invalid(f"a connection may have {self.settings.max_subscriptions} subscriptions")
        if channel == "logs" and operation.after_seq is not None:
            raise Invalid("/after_seq: log lines are read from the agent's logs; follow them there")

    async def _catch_up(self, subscription: Subscription, after_seq: int | None) -> None:
        connection, channel = subscription.connection, subscription.channel
        newest = 0 if channel == "logs" else await self._history.newest()
        replayed: set[int] = set()
        if after_seq is not None:
            missed = await self._history.missed(
                connection.ticket.org_id,
                channel,
                after_seq,
                subscription.agent_id,
                self.settings.replay_events,
            )
            if missed.complete:
                for entry in missed.entries:
                    await connection.send(entry_frame(channel, entry))
                replayed = missed.recent
            else:
                await connection.send(control_frame("reset", channel, newest))
        await connection.send(control_frame("subscribed", channel, newest))
        subscription.release(replayed)

    def _remove(self, subscription: Subscription) -> None:
        subscription.connection.subscriptions.pop((subscription.channel, subscription.agent_id), None)
        key = _audience(subscription)
        audience = self._audiences.get(key, set())
        audience.discard(subscription)
        if not audience:
            self._audiences.pop(key, None)


def _audience(subscription: Subscription) -> Audience:
    org_id = None if subscription.channel == "nodes" else subscription.connection.ticket.org_id
    return org_id, subscription.channel
