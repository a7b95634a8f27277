-- Purpose: organisations for real: invitations, service accounts, confined keys, resets of passwords, and an
--          audit log whose rows form a chain of hashes for each organisation.
-- Owner:   backend
-- Tables:  invitations service_accounts password_resets audit_pending audit_chain

-- A deleted organisation keeps its rows, but nobody can act for it any more.
ALTER TABLE organisations ADD COLUMN deleted_at timestamptz;

-- Who stands for an account that no person logs in to.
CREATE TABLE service_accounts (
    org_id      uuid NOT NULL REFERENCES organisations (id),
    id          uuid NOT NULL UNIQUE,
    name        text NOT NULL,
    description text NOT NULL DEFAULT '',
    role        text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'developer', 'viewer', 'billing', 'auditor')),
    created_by  text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX service_accounts_name ON service_accounts (org_id, lower(name)) WHERE disabled_at IS NULL;
CALL protect_tenant_table('service_accounts');

-- user_id or service_account_id: whom the key stands for, and whose role bounds it; neither, in keys that an
-- earlier release let another key make. agents: null, or the only agents it reaches.
ALTER TABLE api_keys
    ADD COLUMN user_id            uuid REFERENCES users (id),
    ADD COLUMN service_account_id uuid,
    ADD COLUMN agents             uuid[],
    ADD COLUMN rotated_to         uuid,
    ADD CONSTRAINT api_keys_service_account FOREIGN KEY (org_id, service_account_id)
        REFERENCES service_accounts (org_id, id),
    ADD CONSTRAINT api_keys_stand_for_one CHECK (user_id IS NULL OR service_account_id IS NULL),
    ADD CONSTRAINT api_keys_some_agents CHECK (cardinality(agents) > 0);
CREATE INDEX api_keys_user ON api_keys (org_id, user_id);
CREATE INDEX api_keys_account ON api_keys (org_id, service_account_id);
-- The owner of the tables is bound by row-level security too, and no policy is for it.
ALTER TABLE api_keys NO FORCE ROW LEVEL SECURITY;
ALTER TABLE members NO FORCE ROW LEVEL SECURITY;
UPDATE api_keys k SET user_id = k.created_by
FROM members m WHERE m.org_id = k.org_id AND m.user_id = k.created_by;
ALTER TABLE api_keys FORCE ROW LEVEL SECURITY;
ALTER TABLE members FORCE ROW LEVEL SECURITY;

CREATE TABLE invitations (
    org_id      uuid NOT NULL REFERENCES organisations (id),
    id          uuid NOT NULL UNIQUE,
    email       text NOT NULL,
    role        text NOT NULL CHECK (role IN ('owner', 'admin', 'operator', 'developer', 'viewer', 'billing', 'auditor')),
    token_hash  bytea NOT NULL UNIQUE,
    invited_by  text NOT NULL,
    inviter_id  uuid REFERENCES users (id),
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at  timestamptz NOT NULL,
    accepted_at timestamptz,
    accepted_by uuid REFERENCES users (id),
    revoked_at  timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE UNIQUE INDEX invitations_open ON invitations (org_id, lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CALL protect_tenant_table('invitations');

-- One-time tokens by which a person sets a new password; org_id is the organisation whose administrator asked.
CREATE TABLE password_resets (
    token_hash bytea PRIMARY KEY,
    user_id    uuid NOT NULL REFERENCES users (id),
    org_id     uuid NOT NULL REFERENCES organisations (id),
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX password_resets_user ON password_resets (user_id);
CALL protect_platform_table('password_resets');

-- Attempts on one account take turns over all processes: whoever holds the row checks a password.
ALTER TABLE login_attempts ADD COLUMN holder uuid, ADD COLUMN held_until timestamptz;

-- audit: rows are only added and read, by whichever role --------------------------------------------------

REVOKE UPDATE, DELETE ON audit_logs FROM agentplane_system;
CREATE INDEX audit_logs_actor ON audit_logs (org_id, actor_id, id);
CREATE INDEX audit_logs_target ON audit_logs (org_id, target_id, id);

-- Records that are not yet in their organisation's chain, in the order they were written.
CREATE TABLE audit_pending (
    number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    org_id    uuid NOT NULL,
    record_id uuid NOT NULL
);
CALL protect_platform_table('audit_pending');

-- hash = sha256(hash of the position before || the record as canonical JSON); position 1 follows 32 zero bytes.
CREATE TABLE audit_chain (
    org_id     uuid NOT NULL,
    position   bigint NOT NULL,
    record_id  uuid NOT NULL,
    hash       bytea NOT NULL,
    chained_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, position),
    UNIQUE (org_id, record_id)
);
CALL protect_tenant_table('audit_chain');
REVOKE INSERT, UPDATE, DELETE ON audit_chain FROM agentplane_app;
REVOKE UPDATE, DELETE ON audit_chain FROM agentplane_system;

-- As the owner, for whoever may add a record must not reach what waits for the chain.
CREATE FUNCTION audit_await_chain() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
    INSERT INTO audit_pending (org_id, record_id) SELECT org_id, id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_logs_await_chain AFTER INSERT ON audit_logs
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION audit_await_chain();

ALTER TABLE audit_logs NO FORCE ROW LEVEL SECURITY;
INSERT INTO audit_pending (org_id, record_id) SELECT org_id, id FROM audit_logs ORDER BY id;
ALTER TABLE audit_logs FORCE ROW LEVEL SECURITY;
