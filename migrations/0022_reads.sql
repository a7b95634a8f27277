-- Purpose: agents and executions by their ids in one round trip, instead of the three of a transaction
-- Owner:   backend, agent-gateway
-- Tables:  none of its own; reads agents, agent_status, executions

-- Both run as their caller, so that row-level security binds them to the organisation they name.
CREATE FUNCTION read_agents(org uuid, wanted uuid[])
    RETURNS TABLE (id uuid, name text, description text, spec jsonb, version int, generation bigint,
        revision bigint, desired_state text, desired_replicas int, created_by text, created_at timestamptz,
        updated_at timestamptz, state text, reason text, ready_replicas int)
    LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.org', org::text, true);
    RETURN QUERY
    SELECT a.id, a.name, a.description, a.spec, a.version, a.generation, a.revision, a.desired_state,
           a.desired_replicas, a.created_by, a.created_at, a.updated_at,
           coalesce(s.state, CASE a.desired_state WHEN 'stopped' THEN 'stopped' ELSE 'pending' END),
           s.reason, coalesce(s.ready_replicas, 0)
    FROM agents a LEFT JOIN agent_status s ON s.org_id = a.org_id AND s.agent_id = a.id
    WHERE a.org_id = org AND a.id = ANY (wanted) AND a.deleted_at IS NULL;
END
$$;

CREATE FUNCTION read_executions(org uuid, wanted uuid[]) RETURNS SETOF executions
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('app.org', org::text, true);
    RETURN QUERY SELECT * FROM executions e WHERE e.org_id = org AND e.id = ANY (wanted);
END
$$;
