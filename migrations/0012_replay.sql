-- Purpose: masks, the places of an agent's requests that change from run to run and do not count in a replay
-- Tables:  replay_masks
-- Owner:   agent-gateway

-- Learnt ones are proposed, and used once a person has approved them; what was rejected is not proposed again.
CREATE TABLE replay_masks (
    org_id        uuid NOT NULL,
    id            uuid NOT NULL,
    agent_id      uuid NOT NULL,
    agent_version int NOT NULL,
    pointer       text NOT NULL,
    pattern       text NOT NULL,
    example       text[] NOT NULL DEFAULT '{}',
    state         text NOT NULL DEFAULT 'proposed' CHECK (state IN ('proposed', 'approved', 'rejected')),
    learnt_from   uuid,
    decided_by    text,
    decided_at    timestamptz,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, id),
    UNIQUE (org_id, agent_id, agent_version, pointer, pattern),
    FOREIGN KEY (org_id, agent_id) REFERENCES agents (org_id, id)
);
CALL protect_tenant_table('replay_masks');
