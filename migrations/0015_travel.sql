-- Purpose: fidelity of every execution that ended, masks of tools' arguments, and bulk forks
-- Tables:  executions (index), replay_masks (column), bulk_forks, bulk_fork_items
-- Owner:   agent-gateway

-- What ended while nobody counted its steps, and what ended before this was kept.
CREATE INDEX executions_unjudged ON executions (id) WHERE finished_at IS NOT NULL AND fidelity IS NULL;

-- Empty for masks of model calls, else the tool whose arguments they are of.
ALTER TABLE replay_masks
    ADD COLUMN tool text NOT NULL DEFAULT '',
    DROP CONSTRAINT replay_masks_org_id_agent_id_agent_version_pointer_pattern_key,
    ADD CONSTRAINT replay_masks_once UNIQUE (org_id, agent_id, agent_version, tool, pointer, pattern);

-- One change that is tried on many executions; `request` and `estimate` are those of the contract.
CREATE TABLE bulk_forks (
    org_id              uuid NOT NULL REFERENCES organisations (id),
    id                  uuid NOT NULL,
    name                text,
    request             jsonb NOT NULL,
    estimate            jsonb NOT NULL,
    state               text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'finished', 'cancelled', 'stopped')),
    reason              text,
    created_by          text NOT NULL,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancel_requested_at timestamptz,
    finished_at         timestamptz,
    PRIMARY KEY (org_id, id)
);
CREATE INDEX bulk_forks_running ON bulk_forks (id) WHERE finished_at IS NULL;
CALL protect_tenant_table('bulk_forks');

-- `fork_id` is written before the fork is made, so that a gateway which dies in between makes it once.
CREATE TABLE bulk_fork_items (
    org_id          uuid NOT NULL,
    bulk_id         uuid NOT NULL,
    ordinal         int NOT NULL,
    source_id       uuid NOT NULL,
    agent_id        uuid NOT NULL,
    step            int NOT NULL,
    estimate_nano   bigint NOT NULL,
    original_status text NOT NULL,
    state           text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'running', 'done', 'skipped')),
    fork_id         uuid,
    held_nano       bigint NOT NULL DEFAULT 0,
    verdict         text CHECK (verdict IN
        ('fixed', 'still_failing', 'regressed', 'unchanged', 'diverged', 'error')),
    reason          text,
    fork_status     text,
    fork_cause      text,
    diverged_at     int,
    cost_nano       bigint NOT NULL DEFAULT 0,
    tokens_in       bigint NOT NULL DEFAULT 0,
    tokens_out      bigint NOT NULL DEFAULT 0,
    finished_at     timestamptz,
    PRIMARY KEY (org_id, bulk_id, ordinal),
    FOREIGN KEY (org_id, bulk_id) REFERENCES bulk_forks (org_id, id) ON DELETE CASCADE
);
CALL protect_tenant_table('bulk_fork_items');
