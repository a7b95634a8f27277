-- Purpose: tools behind the gateway: registered MCP servers, the ledger of their effects, calls held for a person
-- Tables:  mcp_servers effects approvals
-- Owner:   agent-gateway

-- `has_authorization`: the value of the Authorization header is in the vault, below mcp-servers/{id}/.
CREATE TABLE mcp_servers (
    org_id            uuid NOT NULL REFERENCES organisations (id),
    id                uuid NOT NULL,
    name              text NOT NULL,
    url               text NOT NULL,
    has_authorization boolean NOT NULL,
    effects           jsonb NOT NULL DEFAULT '{}',
    agents            uuid[],
    protocol          text,
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, name)
);
CALL protect_tenant_table('mcp_servers');

-- Results and arguments are JSON, but not jsonb: what strangers send may hold U+0000, which jsonb cannot.

-- One row for each call that changes the world, committed before the call leaves. `lineage_id` is the execution
-- whose attempts share it; the same key again within an attempt has the next ordinal. `answered_attempt` is the
-- last attempt that was given the result: an attempt that was not asks for it again, and is answered from here.
CREATE TABLE effects (
    org_id           uuid NOT NULL,
    lineage_id       uuid NOT NULL,
    key              bytea NOT NULL,
    ordinal          int NOT NULL,
    agent_id         uuid NOT NULL,
    server           text NOT NULL,
    tool             text NOT NULL,
    effect           text NOT NULL CHECK (effect IN ('read', 'write', 'irreversible')),
    state            text NOT NULL CHECK (state IN ('started', 'done', 'unknown')),
    idempotency_key  uuid NOT NULL,
    result           bytea,
    step_seq         int,
    source_id        uuid,
    source_seq       int,
    answered_attempt int,
    started_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at      timestamptz,
    PRIMARY KEY (org_id, lineage_id, key, ordinal),
    FOREIGN KEY (org_id, lineage_id) REFERENCES executions (org_id, id) ON DELETE CASCADE,
    CHECK ((state = 'done') = (result IS NOT NULL))
);
CALL protect_tenant_table('effects');

-- Tool calls that wait, or waited, for a person; found again by what they are, for the caller may have gone.
CREATE TABLE approvals (
    org_id       uuid NOT NULL,
    id           uuid NOT NULL,
    agent_id     uuid NOT NULL,
    agent_name   text NOT NULL,
    execution_id uuid NOT NULL,
    key          bytea NOT NULL,
    ordinal      int NOT NULL,
    step_seq     int,
    server       text NOT NULL,
    tool         text NOT NULL,
    arguments    text NOT NULL,
    effect       text NOT NULL CHECK (effect IN ('read', 'write', 'irreversible')),
    reason       text NOT NULL,
    state        text NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz NOT NULL,
    decided_at   timestamptz,
    decided_by   text,
    comment      text,
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, execution_id, key, ordinal),
    FOREIGN KEY (org_id, execution_id) REFERENCES executions (org_id, id) ON DELETE CASCADE
);
CREATE INDEX approvals_inbox ON approvals (org_id, state, id DESC);
CREATE INDEX approvals_pending ON approvals (expires_at) WHERE state = 'pending';
CALL protect_tenant_table('approvals');
