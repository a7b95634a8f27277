-- Purpose: what every other migration stands on: tenancy, the outbox, leases, identity and agents.
-- Owner:   chassis (outbox, inbox, dead_letters, leases), backend (the rest)
-- Tables:  outbox inbox dead_letters leases organisations users members sessions refresh_tokens
--          login_attempts api_keys audit_logs idempotency_keys agents agent_versions bundles

CREATE EXTENSION IF NOT EXISTS vector;

GRANT USAGE ON SCHEMA public TO agentplane_app, agentplane_system;

-- The organisation a tenant transaction acts for; null outside one, and then no row is visible.
CREATE FUNCTION current_org() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT nullif(current_setting('app.org', true), '')::uuid $$;

-- Row-level security for a table with org_id: tenants see their own rows, the system role all of them.
CREATE PROCEDURE protect_tenant_table(target regclass, org_column text DEFAULT 'org_id') LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO agentplane_app USING (%I = (SELECT current_org())) '
                   'WITH CHECK (%I = (SELECT current_org()))', target, org_column, org_column);
    EXECUTE format('CREATE POLICY system ON %s TO agentplane_system USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO agentplane_app, agentplane_system', target);
END $$;

-- A table that belongs to the platform and not to an organisation: out of the tenant role's reach.
CREATE PROCEDURE protect_platform_table(target regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY system ON %s TO agentplane_system USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO agentplane_system', target);
END $$;

-- chassis ---------------------------------------------------------------------------------------------

-- Events leave with the transaction that caused them; the relay publishes them in order of id.
CREATE TABLE outbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid          xid8 NOT NULL DEFAULT pg_current_xact_id(),
    event_id     uuid NOT NULL UNIQUE,
    org_id       uuid,
    subject      text NOT NULL,
    subject_id   uuid NOT NULL,
    payload      jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (id) WHERE published_at IS NULL;
CREATE INDEX outbox_history ON outbox (org_id, id DESC);
CREATE INDEX outbox_age ON outbox (created_at);
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_write ON outbox FOR INSERT TO agentplane_app WITH CHECK (org_id = (SELECT current_org()));
CREATE POLICY tenant_read ON outbox FOR SELECT TO agentplane_app USING (org_id = (SELECT current_org()));
CREATE POLICY system ON outbox TO agentplane_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON outbox TO agentplane_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox TO agentplane_system;

CREATE TABLE inbox (
    consumer     text NOT NULL,
    event_id     uuid NOT NULL,
    processed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (consumer, event_id)
);
CREATE INDEX inbox_age ON inbox (processed_at);
CALL protect_platform_table('inbox');

CREATE TABLE dead_letters (
    id          uuid PRIMARY KEY,
    consumer    text NOT NULL,
    subject     text NOT NULL,
    event_id    uuid,
    reason      text NOT NULL,
    deliveries  int NOT NULL,
    payload     jsonb NOT NULL,
    died_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    replayed_at timestamptz
);
CALL protect_platform_table('dead_letters');

-- One row per loop that must run once; the epoch grows with every new holder and fences its writes.
CREATE TABLE leases (
    name       text PRIMARY KEY,
    holder     uuid NOT NULL,
    epoch      bigint NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CALL protect_platform_table('leases');

-- backend: identity -----------------------------------------------------------------------------------

CREATE TABLE organisations (
    id         uuid PRIMARY KEY,
    slug       text NOT NULL UNIQUE,
    name       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL protect_tenant_table('organisations', 'id');

CREATE TABLE users (
    id            uuid PRIMARY KEY,
    email         text NOT NULL,
    name          text NOT NULL,
    password_hash text NOT NULL,
    status        text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'disabled')),
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CALL protect_platform_table('users');

CREATE TABLE members (
    org_id     uuid NOT NULL REFERENCES organisations (id),
    user_id    uuid NOT NULL REFERENCES users (id),
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'developer', 'viewer', 'billing', 'auditor')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, user_id)
);
CREATE INDEX members_user ON members (user_id);
CALL protect_tenant_table('members');

CREATE TABLE sessions (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users (id),
    org_id        uuid NOT NULL REFERENCES organisations (id),
    user_agent    text,
    ip            text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    revoke_reason text
);
CREATE INDEX sessions_user ON sessions (user_id);
CALL protect_platform_table('sessions');

-- successor_sealed lets the loser of a race between tabs receive the winner's token within the grace.
CREATE TABLE refresh_tokens (
    hash             bytea PRIMARY KEY,
    session_id       uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    parent_hash      bytea,
    successor_hash   bytea,
    successor_sealed bytea,
    issued_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    used_at          timestamptz,
    expires_at       timestamptz NOT NULL
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);
CALL protect_platform_table('refresh_tokens');

CREATE TABLE login_attempts (
    key               text PRIMARY KEY,
    fails             int NOT NULL,
    window_started_at timestamptz NOT NULL,
    locked_until      timestamptz
);
CALL protect_platform_table('login_attempts');

CREATE TABLE api_keys (
    org_id       uuid NOT NULL REFERENCES organisations (id),
    id           uuid NOT NULL UNIQUE,
    name         text NOT NULL,
    prefix       text NOT NULL,
    hash         bytea NOT NULL UNIQUE,
    scopes       text[] NOT NULL,
    created_by   uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    last_used_at timestamptz,
    revoked_at   timestamptz,
    PRIMARY KEY (org_id, id)
);
CALL protect_tenant_table('api_keys');

CREATE TABLE audit_logs (
    org_id      uuid NOT NULL,
    id          uuid NOT NULL,
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind  text NOT NULL,
    actor_id    uuid,
    actor_label text NOT NULL,
    action      text NOT NULL,
    target_kind text,
    target_id   text,
    status      int NOT NULL,
    request_id  text,
    ip          text,
    details     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (org_id, id)
);
CALL protect_tenant_table('audit_logs');
REVOKE UPDATE, DELETE ON audit_logs FROM agentplane_app;

CREATE TABLE idempotency_keys (
    org_id       uuid NOT NULL,
    actor        text NOT NULL,
    key          text NOT NULL,
    request_hash bytea NOT NULL,
    status       int,
    headers      jsonb,
    body         bytea,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, actor, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
CALL protect_tenant_table('idempotency_keys');

-- backend: agents -------------------------------------------------------------------------------------

-- generation grows when what must run changes (spec, restart); revision with every change (the ETag).
-- purged_at: the agent was deleted, its instances have ended and its secrets are destroyed.
CREATE TABLE agents (
    org_id           uuid NOT NULL REFERENCES organisations (id),
    id               uuid NOT NULL UNIQUE,
    name             text NOT NULL,
    description      text NOT NULL DEFAULT '',
    spec             jsonb NOT NULL,
    version          int NOT NULL DEFAULT 1,
    generation       bigint NOT NULL DEFAULT 1,
    revision         bigint NOT NULL DEFAULT 1,
    desired_state    text NOT NULL DEFAULT 'running' CHECK (desired_state IN ('running', 'stopped')),
    desired_replicas int NOT NULL DEFAULT 1 CHECK (desired_replicas BETWEEN 0 AND 1000),
    created_by       text NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    deleted_at       timestamptz,
    purged_at        timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX agents_to_purge ON agents (deleted_at) WHERE deleted_at IS NOT NULL AND purged_at IS NULL;
CREATE UNIQUE INDEX agents_name ON agents (org_id, name) WHERE deleted_at IS NULL;
CALL protect_tenant_table('agents');

CREATE TABLE agent_versions (
    org_id     uuid NOT NULL,
    agent_id   uuid NOT NULL,
    version    int NOT NULL,
    spec       jsonb NOT NULL,
    note       text NOT NULL DEFAULT '',
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, agent_id, version),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id)
);
CALL protect_tenant_table('agent_versions');

CREATE TABLE bundles (
    org_id     uuid NOT NULL REFERENCES organisations (id),
    digest     text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    size_bytes int NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('python', 'node', 'plain')),
    content    bytea NOT NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, digest)
);
ALTER TABLE bundles ALTER COLUMN content SET STORAGE EXTERNAL;
CALL protect_tenant_table('bundles');
