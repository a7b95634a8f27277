-- Purpose: what organisations may do and spend: policies, budgets and what is held of them, prices, stops
-- Owner:   agent-gateway (steps: agent-observability)
-- Tables:  organisation_policies organisation_stops budgets budget_holds model_prices, steps (columns)

CREATE TABLE organisation_policies (
    org_id     uuid PRIMARY KEY REFERENCES organisations (id),
    policy     jsonb NOT NULL,
    revision   bigint NOT NULL DEFAULT 1,
    updated_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CALL protect_tenant_table('organisation_policies');

-- While the row is there, nothing of the organisation runs and nothing new begins.
CREATE TABLE organisation_stops (
    org_id     uuid PRIMARY KEY REFERENCES organisations (id),
    reason     text NOT NULL,
    stopped_by text NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cancelled  int NOT NULL DEFAULT 0
);
CALL protect_tenant_table('organisation_stops');

-- subject_id is the organisation, the agent or the execution; a null limit is no limit. What was spent counts
-- from period_started_at on, which moves when a day or a month (UTC) begins.
CREATE TABLE budgets (
    org_id            uuid NOT NULL REFERENCES organisations (id),
    id                uuid NOT NULL,
    scope             text NOT NULL CHECK (scope IN ('organisation', 'agent', 'execution')),
    subject_id        uuid NOT NULL,
    cost_nano         bigint CHECK (cost_nano >= 0),
    tokens            bigint CHECK (tokens >= 0),
    steps             bigint CHECK (steps >= 0),
    tool_calls        bigint CHECK (tool_calls >= 0),
    period            text NOT NULL DEFAULT 'total' CHECK (period IN ('total', 'day', 'month')),
    period_started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    spent_nano        bigint NOT NULL DEFAULT 0,
    spent_tokens      bigint NOT NULL DEFAULT 0,
    spent_steps       bigint NOT NULL DEFAULT 0,
    spent_tool_calls  bigint NOT NULL DEFAULT 0,
    updated_by        text NOT NULL,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, scope, subject_id)
);
CREATE INDEX budgets_of_executions ON budgets (updated_at) WHERE scope = 'execution';
CALL protect_tenant_table('budgets');

-- What a process of the gateway has leased of a budget and not yet spent; counts for others until expires_at.
-- counted_* is what that process has told of its spending so far, so that telling it twice adds nothing.
CREATE TABLE budget_holds (
    org_id             uuid NOT NULL,
    budget_id          uuid NOT NULL,
    holder             uuid NOT NULL,
    held_nano          bigint NOT NULL,
    held_tokens        bigint NOT NULL,
    held_steps         bigint NOT NULL,
    held_tool_calls    bigint NOT NULL,
    counted_nano       bigint NOT NULL,
    counted_tokens     bigint NOT NULL,
    counted_steps      bigint NOT NULL,
    counted_tool_calls bigint NOT NULL,
    expires_at         timestamptz NOT NULL,
    PRIMARY KEY (org_id, budget_id, holder),
    FOREIGN KEY (org_id, budget_id) REFERENCES budgets (org_id, id) ON DELETE CASCADE
);
CREATE INDEX budget_holds_age ON budget_holds (expires_at);
CALL protect_tenant_table('budget_holds');

-- Version 1, 2, 3 … of each name or glob; the list of well-known models that comes with the code is not in here.
CREATE TABLE model_prices (
    model             text NOT NULL,
    version           int NOT NULL,
    input_nano        bigint NOT NULL CHECK (input_nano >= 0),
    cached_input_nano bigint CHECK (cached_input_nano >= 0),
    cache_write_nano  bigint CHECK (cache_write_nano >= 0),
    output_nano       bigint NOT NULL CHECK (output_nano >= 0),
    max_output_tokens int CHECK (max_output_tokens > 0),
    valid_from        timestamptz NOT NULL DEFAULT clock_timestamp(),
    set_by            text NOT NULL,
    PRIMARY KEY (model, version)
);
CALL protect_platform_table('model_prices');

-- What a cost of nothing means: that the model has no price, or that the answer broke off before its usage came.
ALTER TABLE steps
    ADD COLUMN priced    boolean NOT NULL DEFAULT true,
    ADD COLUMN estimated boolean NOT NULL DEFAULT false;
