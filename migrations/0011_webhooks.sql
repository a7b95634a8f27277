-- Purpose: outbound webhooks: where organisations want to hear of events, what is due there, what was tried.
-- Owner:   event-processor
-- Tables:  webhook_endpoints webhook_deliveries webhook_attempts webhook_position

-- The signing secrets are in the vault, one for each generation; the one before signs too until `previous_until`.
-- An empty `event_types` means every type. Only events after `enabled_at` are sent. `failing_since` is when the
-- endpoint began to do nothing but fail.
CREATE TABLE webhook_endpoints (
    org_id          uuid NOT NULL REFERENCES organisations (id),
    id              uuid NOT NULL,
    url             text NOT NULL,
    description     text NOT NULL DEFAULT '',
    event_types     text[] NOT NULL,
    state           text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'deleted')),
    disabled_reason text CHECK (disabled_reason IN ('by_user', 'gone', 'failing')),
    generation      int NOT NULL DEFAULT 1,
    previous_until  timestamptz,
    enabled_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    failing_since   timestamptz,
    paused_until    timestamptz,
    created_by      text NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL))
);
CREATE INDEX webhook_endpoints_enabled ON webhook_endpoints (org_id) WHERE state = 'enabled';
CALL protect_tenant_table('webhook_endpoints');

-- One row for each event and endpoint; a test has an id of its own in place of an event's. Whoever delivers moves
-- `due_at` ahead, and that is its lease.
-- `position` is the next entry of the schedule; `attempts` counts all tries, those by hand too.
CREATE TABLE webhook_deliveries (
    org_id      uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id    uuid NOT NULL,
    event_type  text NOT NULL,
    body        text NOT NULL,
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    position    int NOT NULL DEFAULT 0,
    attempts    int NOT NULL DEFAULT 0,
    due_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    PRIMARY KEY (org_id, endpoint_id, event_id),
    FOREIGN KEY (org_id, endpoint_id) REFERENCES webhook_endpoints (org_id, id) ON DELETE CASCADE
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (org_id, endpoint_id, due_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE finished_at IS NOT NULL;
CALL protect_tenant_table('webhook_deliveries');

CREATE TABLE webhook_attempts (
    org_id      uuid NOT NULL,
    endpoint_id uuid NOT NULL,
    event_id    uuid NOT NULL,
    number      int NOT NULL,
    started_at  timestamptz NOT NULL,
    duration_ms int NOT NULL,
    status      int,
    error       text,
    PRIMARY KEY (org_id, endpoint_id, event_id, number),
    FOREIGN KEY (org_id, endpoint_id, event_id)
        REFERENCES webhook_deliveries (org_id, endpoint_id, event_id) ON DELETE CASCADE
);
CALL protect_tenant_table('webhook_attempts');

-- How far the outbox was read, as the oldest transaction whose events may not have been. Ids would not do:
-- they are given out in another order than transactions end.
CREATE TABLE webhook_position (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    xid      xid8 NOT NULL
);
INSERT INTO webhook_position (xid) VALUES (pg_snapshot_xmin(pg_current_snapshot()));
CALL protect_platform_table('webhook_position');
CREATE INDEX outbox_xid ON outbox (xid);
