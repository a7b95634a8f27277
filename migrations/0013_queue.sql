-- Purpose: what waits for what in the queue of executions, and shares it fairly between organisations
-- Tables:  executions (column), execution_lanes
-- Owner:   agent-gateway

-- Of the executions that name a lane one runs at a time: a thread is a lane, and so is a concurrency key.
ALTER TABLE executions ADD COLUMN lanes text[];

CREATE TABLE execution_lanes (
    org_id       uuid NOT NULL,
    lane         text NOT NULL,
    execution_id uuid NOT NULL,
    taken_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, lane)
);
CREATE INDEX execution_lanes_execution ON execution_lanes (execution_id);
CALL protect_tenant_table('execution_lanes');

CREATE INDEX executions_at_work ON executions (lease_expires_at)
    WHERE finished_at IS NULL AND status <> 'queued';
DROP INDEX executions_leased;

-- A fair claim of jobs looks at each organisation's own queue, and at what it has at work.
CREATE INDEX executions_jobs_of ON executions (org_id, priority DESC, run_after)
    WHERE status = 'queued' AND mode = 'job';
CREATE INDEX executions_jobs_at_work ON executions (org_id)
    WHERE mode = 'job' AND finished_at IS NULL AND status <> 'queued';
DROP INDEX executions_jobs;
