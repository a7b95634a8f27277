-- Purpose: running agents: nodes, instances, orders, executions, the journal, logs, samples, secrets.
-- Owner:   node-manager (nodes, node_leases, node_orphans, observed columns of agent_instances),
--          control-brain (agent_instances desired columns, agent_status, commands, brain_decisions, service_registry),
--          agent-gateway (executions, execution_events, virtual_keys), agent-observability (steps, step_bodies),
--          log-processor (agent_logs), metrics-collector (instance_samples), secrets-manager (secrets, secret_versions)
-- Tables:  nodes node_leases node_orphans agent_instances agent_status commands brain_decisions service_registry executions
--          execution_events virtual_keys steps step_bodies agent_logs instance_samples secrets secret_versions

-- node-manager ----------------------------------------------------------------------------------------

CREATE TABLE nodes (
    id            uuid PRIMARY KEY,
    name          text NOT NULL UNIQUE,
    boot_id       uuid NOT NULL,
    facts         jsonb NOT NULL,
    state         text NOT NULL DEFAULT 'ready' CHECK (state IN ('ready', 'silent', 'lost')),
    cordoned      boolean NOT NULL DEFAULT false,
    draining      boolean NOT NULL DEFAULT false,
    inventory_seq bigint NOT NULL DEFAULT 0,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL protect_platform_table('nodes');

CREATE TABLE node_leases (
    node_id    uuid PRIMARY KEY REFERENCES nodes (id) ON DELETE CASCADE,
    boot_id    uuid NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CALL protect_platform_table('node_leases');

-- Running processes that a node reports and nobody wants; the brain orders their end.
CREATE TABLE node_orphans (
    node_id     uuid NOT NULL REFERENCES nodes (id) ON DELETE CASCADE,
    run_id      uuid NOT NULL,
    org_id      uuid NOT NULL,
    agent_id    uuid NOT NULL,
    instance_id uuid NOT NULL,
    incarnation bigint NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (node_id, run_id)
);
CALL protect_platform_table('node_orphans');

-- control-brain and node-manager ----------------------------------------------------------------------

-- One row per slot of an agent (or per attempt of a job); incarnation counts its processes.
-- Columns named observed_* belong to node-manager, all others to control-brain.
CREATE TABLE agent_instances (
    org_id               uuid NOT NULL,
    id                   uuid NOT NULL UNIQUE,
    agent_id             uuid NOT NULL,
    agent_version        int NOT NULL,
    generation           bigint NOT NULL,
    owner_kind           text NOT NULL CHECK (owner_kind IN ('replica', 'execution')),
    execution_id         uuid,
    attempt              int NOT NULL DEFAULT 1,
    ordinal              int NOT NULL,
    incarnation          bigint NOT NULL DEFAULT 1,
    run_id               uuid NOT NULL,
    spec                 jsonb NOT NULL,
    input                jsonb,
    deadline_at          timestamptz,
    desired_state        text NOT NULL CHECK (desired_state IN ('running', 'stopped')),
    node_id              uuid REFERENCES nodes (id),
    cpu_millicores       int NOT NULL,
    memory_bytes         bigint NOT NULL,
    restart_count        int NOT NULL DEFAULT 0,
    crash_count          int NOT NULL DEFAULT 0,
    backoff_until        timestamptz,
    created_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    desired_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at           timestamptz,
    observed_state       text NOT NULL DEFAULT 'pending'
        CHECK (observed_state IN ('pending', 'starting', 'running', 'stopping', 'exited', 'lost')),
    observed_incarnation bigint NOT NULL DEFAULT 0,
    observed_ready       boolean NOT NULL DEFAULT false,
    observed_endpoint    text,
    observed_pid         int,
    observed_isolation   text,
    observed_enforcement jsonb NOT NULL DEFAULT '{}',
    observed_started_at  timestamptz,
    observed_ready_at    timestamptz,
    observed_finished_at timestamptz,
    observed_exit        jsonb,
    observed_at          timestamptz,
    -- Nothing is to be done about the instance: it is meant to run, and runs, ready, as last ordered.
    settled              boolean NOT NULL GENERATED ALWAYS AS (desired_state = 'running' AND observed_ready
        AND observed_state = 'running' AND observed_incarnation = incarnation) STORED,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id),
    CHECK ((owner_kind = 'execution') = (execution_id IS NOT NULL))
);
CREATE UNIQUE INDEX agent_instances_slot ON agent_instances (agent_id, ordinal)
    WHERE owner_kind = 'replica' AND retired_at IS NULL;
CREATE UNIQUE INDEX agent_instances_job ON agent_instances (execution_id, attempt) WHERE owner_kind = 'execution';
CREATE INDEX agent_instances_agent ON agent_instances (agent_id);
CREATE INDEX agent_instances_unsettled ON agent_instances (agent_id)
    WHERE owner_kind = 'replica' AND retired_at IS NULL AND NOT settled;
CREATE INDEX agent_instances_node ON agent_instances (node_id) WHERE retired_at IS NULL;
CREATE INDEX agent_instances_run ON agent_instances (run_id);
CREATE INDEX agent_instances_jobs ON agent_instances (id) WHERE owner_kind = 'execution' AND retired_at IS NULL;
CREATE INDEX agent_instances_retired ON agent_instances (retired_at) WHERE retired_at IS NOT NULL;
CALL protect_tenant_table('agent_instances');

CREATE TABLE agent_status (
    org_id              uuid NOT NULL,
    agent_id            uuid NOT NULL,
    state               text NOT NULL,
    reason              text,
    desired_replicas    int NOT NULL,
    ready_replicas      int NOT NULL,
    observed_generation bigint NOT NULL,
    mode                text NOT NULL,
    updated_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, agent_id),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id)
);
CREATE INDEX agent_status_agent ON agent_status (agent_id);
CALL protect_tenant_table('agent_status');

-- The id is derived from what is ordered, so that a new leader derives the same one again.
CREATE TABLE commands (
    id           text PRIMARY KEY,
    org_id       uuid NOT NULL,
    instance_id  uuid NOT NULL,
    incarnation  bigint NOT NULL,
    node_id      uuid NOT NULL,
    epoch        bigint NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('start', 'stop', 'kill')),
    payload      jsonb NOT NULL,
    state        text NOT NULL DEFAULT 'issued'
        CHECK (state IN ('issued', 'confirmed', 'refused', 'superseded')),
    deliveries   int NOT NULL DEFAULT 0,
    reason       text,
    issued_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    delivered_at timestamptz,
    done_at      timestamptz
);
CREATE INDEX commands_open ON commands (node_id, issued_at) WHERE state = 'issued';
CREATE INDEX commands_instance ON commands (instance_id);
CALL protect_tenant_table('commands');

CREATE TABLE brain_decisions (
    id          uuid PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    epoch       bigint NOT NULL,
    kind        text NOT NULL,
    org_id      uuid,
    agent_id    uuid,
    instance_id uuid,
    node_id     uuid,
    reason      text NOT NULL,
    explain     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX brain_decisions_at ON brain_decisions (at DESC);
CREATE INDEX brain_decisions_agent ON brain_decisions (agent_id, at DESC);
CALL protect_tenant_table('brain_decisions');

CREATE TABLE service_registry (
    name              text NOT NULL,
    replica           text NOT NULL,
    version           text NOT NULL,
    port              int NOT NULL,
    pid               int NOT NULL,
    process           text NOT NULL,
    ready             boolean NOT NULL,
    details           jsonb NOT NULL DEFAULT '{}',
    started_at        timestamptz NOT NULL,
    last_heartbeat_at timestamptz NOT NULL,
    PRIMARY KEY (name, replica)
);
CALL protect_platform_table('service_registry');

-- agent-gateway ---------------------------------------------------------------------------------------

CREATE TABLE executions (
    org_id              uuid NOT NULL,
    id                  uuid NOT NULL UNIQUE,
    agent_id            uuid NOT NULL,
    agent_name          text NOT NULL,
    agent_version       int NOT NULL,
    mode                text NOT NULL CHECK (mode IN ('service', 'job')),
    dispatch            jsonb NOT NULL,
    thread_id           text,
    idempotency_key     text,
    request_hash        bytea,
    input               jsonb,
    output              jsonb,
    error               jsonb,
    status              text NOT NULL DEFAULT 'queued' CHECK (status IN (
        'queued', 'scheduled', 'starting', 'running', 'waiting_for_approval', 'waiting_for_input',
        'waiting_for_child', 'suspended', 'draining', 'succeeded', 'failed', 'cancelled', 'expired')),
    cause               text,
    attempt             int NOT NULL DEFAULT 0,
    max_attempts        int NOT NULL,
    failures            int NOT NULL DEFAULT 0,
    priority            int NOT NULL DEFAULT 0,
    run_after           timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline_at         timestamptz NOT NULL,
    cancel_requested_at timestamptz,
    cancel_actor        text,
    instance_id         uuid,
    run_id              uuid,
    lease_holder        uuid,
    lease_epoch         bigint NOT NULL DEFAULT 0,
    lease_expires_at    timestamptz,
    accepted_at         timestamptz,
    event_seq           int NOT NULL DEFAULT 0,
    steps               int NOT NULL DEFAULT 0,
    tokens_in           bigint NOT NULL DEFAULT 0,
    tokens_out          bigint NOT NULL DEFAULT 0,
    cost_nano           bigint NOT NULL DEFAULT 0,
    scripted            boolean NOT NULL DEFAULT false,
    created_by          text NOT NULL,
    traceparent         text,
    created_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at          timestamptz,
    finished_at         timestamptz,
    PRIMARY KEY (org_id, id),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id)
);
CREATE INDEX executions_queue ON executions (agent_id, priority DESC, run_after)
    WHERE status = 'queued' AND mode = 'service';
CREATE INDEX executions_jobs ON executions (priority DESC, run_after) WHERE status = 'queued' AND mode = 'job';
CREATE INDEX executions_deadline ON executions (deadline_at) WHERE finished_at IS NULL;
CREATE INDEX executions_leased ON executions (lease_expires_at)
    WHERE status IN ('scheduled', 'starting', 'running', 'draining');
CREATE INDEX executions_agent ON executions (org_id, agent_id, id DESC);
CREATE UNIQUE INDEX executions_idempotency ON executions (org_id, agent_id, created_by, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CALL protect_tenant_table('executions');

CREATE TABLE execution_events (
    org_id       uuid NOT NULL,
    execution_id uuid NOT NULL,
    seq          int NOT NULL,
    type         text NOT NULL,
    status       text,
    cause        text,
    actor        text NOT NULL,
    data         jsonb,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (execution_id, seq)
);
CALL protect_tenant_table('execution_events');

CREATE TABLE virtual_keys (
    hash         bytea PRIMARY KEY,
    org_id       uuid NOT NULL,
    agent_id     uuid NOT NULL,
    agent_name   text NOT NULL,
    instance_id  uuid NOT NULL,
    run_id       uuid NOT NULL,
    execution_id uuid,
    attempt      int NOT NULL DEFAULT 1,
    kind         text NOT NULL CHECK (kind IN ('key', 'token')),
    grants       jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at   timestamptz,
    revoked_at   timestamptz
);
CREATE INDEX virtual_keys_run ON virtual_keys (run_id);
CREATE INDEX virtual_keys_execution ON virtual_keys (execution_id) WHERE execution_id IS NOT NULL;
CALL protect_tenant_table('virtual_keys');

-- agent-observability ---------------------------------------------------------------------------------

CREATE TABLE steps (
    org_id        uuid NOT NULL,
    id            uuid PRIMARY KEY,
    agent_id      uuid NOT NULL,
    execution_id  uuid,
    instance_id   uuid,
    seq           int NOT NULL,
    attempt       int NOT NULL,
    parent_id     uuid,
    kind          text NOT NULL,
    name          text NOT NULL,
    status        text NOT NULL,
    cause         text,
    error         text,
    model         text,
    provider      text,
    scripted      boolean NOT NULL,
    streamed      boolean NOT NULL,
    http_status   int,
    tokens_in     int NOT NULL,
    tokens_out    int NOT NULL,
    cost_nano     bigint NOT NULL,
    tool_calls    text[] NOT NULL DEFAULT '{}',
    started_at    timestamptz NOT NULL,
    first_byte_at timestamptz,
    finished_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX steps_execution ON steps (execution_id, seq) WHERE execution_id IS NOT NULL;
CREATE INDEX steps_agent ON steps (org_id, agent_id, started_at DESC);
CALL protect_tenant_table('steps');

-- Bodies stand apart, compressed, so that a timeline never reads them.
CREATE TABLE step_bodies (
    org_id        uuid NOT NULL,
    step_id       uuid PRIMARY KEY REFERENCES steps (id) ON DELETE CASCADE,
    request       bytea NOT NULL,
    request_patch jsonb,
    response      bytea NOT NULL
);
ALTER TABLE step_bodies ALTER COLUMN request SET STORAGE EXTERNAL;
ALTER TABLE step_bodies ALTER COLUMN response SET STORAGE EXTERNAL;
CALL protect_tenant_table('step_bodies');

-- log-processor and metrics-collector -----------------------------------------------------------------

CREATE TABLE agent_logs (
    org_id       uuid NOT NULL,
    agent_id     uuid NOT NULL,
    instance_id  uuid NOT NULL,
    run_id       uuid NOT NULL,
    line_offset  bigint NOT NULL,
    execution_id uuid,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    at           timestamptz NOT NULL,
    stream       text NOT NULL,
    line         text NOT NULL,
    truncated    boolean NOT NULL DEFAULT false,
    stored_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (run_id, line_offset)
);
CREATE INDEX agent_logs_tail ON agent_logs (agent_id, id DESC);
CREATE INDEX agent_logs_execution ON agent_logs (execution_id, id DESC) WHERE execution_id IS NOT NULL;
CREATE INDEX agent_logs_age ON agent_logs USING brin (stored_at);
CALL protect_tenant_table('agent_logs');

CREATE TABLE instance_samples (
    org_id       uuid NOT NULL,
    agent_id     uuid NOT NULL,
    instance_id  uuid NOT NULL,
    run_id       uuid NOT NULL,
    at           timestamptz NOT NULL,
    cpu_percent  real NOT NULL,
    memory_bytes bigint NOT NULL,
    processes    int NOT NULL,
    PRIMARY KEY (run_id, at)
);
CREATE INDEX instance_samples_agent ON instance_samples (agent_id, at DESC);
CREATE INDEX instance_samples_age ON instance_samples USING brin (at);
CALL protect_tenant_table('instance_samples');

-- secrets-manager -------------------------------------------------------------------------------------

CREATE TABLE secrets (
    org_id          uuid NOT NULL REFERENCES organisations (id),
    id              uuid NOT NULL UNIQUE,
    path            text NOT NULL,
    current_version int NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, path)
);
CALL protect_tenant_table('secrets');

-- AES-256-GCM: value under a data key of its own, data key under the master key; destroying deletes both.
CREATE TABLE secret_versions (
    org_id       uuid NOT NULL,
    secret_id    uuid NOT NULL,
    version      int NOT NULL,
    master_id    text NOT NULL,
    wrapped_key  bytea,
    wrap_nonce   bytea,
    nonce        bytea,
    ciphertext   bytea,
    created_by   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    PRIMARY KEY (org_id, secret_id, version),
    FOREIGN KEY (org_id, secret_id) REFERENCES secrets (org_id, id) ON DELETE CASCADE
);
CALL protect_tenant_table('secret_versions');
