-- Purpose: the journal in its second form: steps by the week of their execution, bodies as references to blobs that
--          are stored once for each organisation and week, and counters of what was used
-- Tables:  steps step_blobs step_usage (steps and step_bodies of 0004 are carried over and dropped)
-- Owner:   agent-observability

ALTER TABLE steps RENAME TO steps_before;
ALTER TABLE step_bodies RENAME TO step_bodies_before;
ALTER TABLE steps_before NO FORCE ROW LEVEL SECURITY;
ALTER TABLE step_bodies_before NO FORCE ROW LEVEL SECURITY;
ALTER TABLE steps_before DROP CONSTRAINT steps_pkey CASCADE;
DROP INDEX steps_execution, steps_agent;

-- `epoch` is the week in which the execution began, so that an execution lies in one partition and a whole week can
-- be dropped with everything its steps refer to. `request` and `response` are recipes: literal bytes and references.
CREATE TABLE steps (
    epoch               int NOT NULL,
    seq                 int NOT NULL,
    started_at          timestamptz NOT NULL,
    finished_at         timestamptz NOT NULL,
    first_byte_at       timestamptz,
    cost_nano           bigint NOT NULL,
    attempt             int NOT NULL,
    tokens_in           int NOT NULL,
    tokens_out          int NOT NULL,
    tokens_cached       int,
    tokens_reasoning    int,
    http_status         int,
    source_seq          int,
    scripted            boolean NOT NULL,
    streamed            boolean NOT NULL,
    org_id              uuid NOT NULL,
    id                  uuid NOT NULL,
    agent_id            uuid NOT NULL,
    execution_id        uuid,
    instance_id         uuid,
    parent_id           uuid,
    source_execution_id uuid,
    kind                text NOT NULL,
    name                text NOT NULL,
    status              text NOT NULL,
    cause               text,
    error               text,
    model               text,
    provider            text,
    effect              text,
    served_from         text,
    key                 bytea,
    tool_calls          text[],
    redacted            text[],
    request             bytea NOT NULL,
    response            bytea NOT NULL,
    response_chunks     bytea,
    request_patch       bytea
) PARTITION BY LIST (epoch);
ALTER TABLE steps ALTER COLUMN request SET STORAGE EXTERNAL;
ALTER TABLE steps ALTER COLUMN response SET STORAGE EXTERNAL;
ALTER TABLE steps ALTER COLUMN response_chunks SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX steps_execution ON steps (execution_id, seq, epoch);
CREATE UNIQUE INDEX steps_organisation ON steps (org_id, id, epoch);
CREATE INDEX steps_agent ON steps (agent_id, id);
CREATE INDEX steps_failed ON steps (org_id, id) WHERE status <> 'succeeded';
CREATE INDEX steps_served ON steps (source_execution_id) WHERE source_execution_id IS NOT NULL;

-- `hash` is salted with the organisation: the same text of two organisations has two hashes. `bulk` is as many
-- whole TOAST chunks (1996 bytes, four of which fill a page) as there are, `rest` what is left and lies in the row:
-- left to itself, a text of 3 KB would leave a fifth of each page empty.
CREATE TABLE step_blobs (
    epoch  int NOT NULL,
    org_id uuid NOT NULL,
    hash   uuid NOT NULL,
    bulk   bytea,
    rest   bytea NOT NULL,
    PRIMARY KEY (epoch, hash)
) PARTITION BY LIST (epoch);
ALTER TABLE step_blobs ALTER COLUMN bulk SET STORAGE EXTERNAL;
ALTER TABLE step_blobs ALTER COLUMN rest SET STORAGE PLAIN;

-- Added to in the transaction that stores the steps; it outlives them.
CREATE TABLE step_usage (
    org_id           uuid NOT NULL,
    day              date NOT NULL,
    agent_id         uuid NOT NULL,
    kind             text NOT NULL,
    model            text NOT NULL,
    scripted         boolean NOT NULL,
    calls            bigint NOT NULL,
    failed           bigint NOT NULL,
    unattributed     bigint NOT NULL,
    replayed         bigint NOT NULL,
    unpriced         bigint NOT NULL,
    estimated        bigint NOT NULL,
    tokens_in        bigint NOT NULL,
    tokens_out       bigint NOT NULL,
    tokens_cached    bigint NOT NULL,
    tokens_reasoning bigint NOT NULL,
    cost_nano        bigint NOT NULL,
    PRIMARY KEY (org_id, day, agent_id, kind, model, scripted)
) WITH (fillfactor = 50);

-- What has no partition of its own: ids that carry no time, and weeks that were not made ready in time.
CREATE TABLE steps_rest PARTITION OF steps DEFAULT;
CREATE TABLE step_blobs_rest PARTITION OF step_blobs DEFAULT;
CALL protect_platform_table('steps_rest');
CALL protect_platform_table('step_blobs_rest');

-- The week of a UUIDv7, counted from 1970; 0 for ids that carry no time.
CREATE FUNCTION journal_epoch(id uuid) RETURNS int LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN substr(id::text, 15, 1) = '7' AND week BETWEEN 2600 AND 10000 THEN week ELSE 0 END
    FROM (SELECT (('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 604800000)::int AS week) AS dated
$$;

-- Tables are the owner's to make; these two let the system role make and drop weeks of the journal only.
CREATE FUNCTION open_journal_epoch(week int) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp AS $$
DECLARE
    parent text;
    child  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('open_journal_epoch'));
    IF week NOT BETWEEN 2600 AND 10000 OR to_regclass(format('steps_w%s', week)) IS NOT NULL THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['steps', 'step_blobs'] LOOP
        child := format('%s_w%s', parent, week);
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', child, parent);
        EXECUTE format('CALL protect_platform_table(%L)', child);
        EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES IN (%s)', parent, child, week);
    END LOOP;
    RETURN true;
EXCEPTION WHEN check_violation THEN
    -- The rest holds steps of this week already; they stay together there.
    RETURN false;
END $$;

CREATE FUNCTION drop_journal_epoch(week int) RETURNS void LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = public, pg_temp SET lock_timeout = '3s' AS $$
BEGIN
    EXECUTE format('DROP TABLE IF EXISTS steps_w%s, step_blobs_w%s', week, week);
END $$;

REVOKE ALL ON FUNCTION open_journal_epoch(int), drop_journal_epoch(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION open_journal_epoch(int), drop_journal_epoch(int) TO agentplane_system;

-- What is there moves over: bodies stay whole, as one blob each; the first byte of a blob says how it is packed
-- (1: zlib), the first byte of a recipe that it is plain (0), that of a reference its kind (1: bytes).

SELECT open_journal_epoch(week) FROM (
    SELECT DISTINCT journal_epoch(coalesce(execution_id, id)) AS week FROM steps_before
    UNION SELECT floor(extract(epoch FROM clock_timestamp()) / 604800)::int + ahead FROM generate_series(-1, 1) AS ahead
) AS weeks;

INSERT INTO step_blobs (epoch, org_id, hash, bulk, rest)
SELECT journal_epoch(coalesce(s.execution_id, s.id)), s.org_id, md5(s.id::text || part.name)::uuid,
       nullif(substr(packed, 1, length(packed) / 1996 * 1996), ''), substr(packed, length(packed) / 1996 * 1996 + 1)
FROM steps_before s JOIN step_bodies_before b ON b.step_id = s.id,
     LATERAL (VALUES ('request', b.request), ('response', b.response)) AS part (name, body),
     LATERAL (SELECT '\x01'::bytea || part.body AS packed) AS prefixed;

INSERT INTO steps (epoch, seq, started_at, finished_at, first_byte_at, cost_nano, attempt, tokens_in, tokens_out,
    http_status, scripted, streamed, org_id, id, agent_id, execution_id, instance_id, parent_id, kind, name, status,
    cause, error, model, provider, tool_calls, request, response, request_patch)
SELECT journal_epoch(coalesce(s.execution_id, s.id)), s.seq, s.started_at, s.finished_at, s.first_byte_at, s.cost_nano,
       s.attempt, s.tokens_in, s.tokens_out, s.http_status, s.scripted, s.streamed, s.org_id, s.id, s.agent_id,
       s.execution_id, s.instance_id, s.parent_id, s.kind, s.name, s.status, s.cause, s.error, s.model, s.provider,
       nullif(s.tool_calls, '{}'),
       CASE WHEN b.step_id IS NULL THEN '\x00' ELSE '\x0001'::bytea || uuid_send(md5(s.id::text || 'request')::uuid) END,
       CASE WHEN b.step_id IS NULL THEN '\x00' ELSE '\x0001'::bytea || uuid_send(md5(s.id::text || 'response')::uuid) END,
       '\x00'::bytea || convert_to(b.request_patch::text, 'UTF8')
FROM steps_before s LEFT JOIN step_bodies_before b ON b.step_id = s.id;

INSERT INTO step_usage
SELECT org_id, (started_at AT TIME ZONE 'UTC')::date, agent_id, kind, coalesce(model, ''), scripted, count(*),
       count(*) FILTER (WHERE status <> 'succeeded'), count(*) FILTER (WHERE execution_id IS NULL), 0, 0, 0,
       sum(tokens_in), sum(tokens_out), 0, 0, sum(cost_nano)
FROM steps_before GROUP BY 1, 2, 3, 4, 5, 6;


DROP TABLE step_bodies_before, steps_before;

-- Protected last: the owner, who has just written them, is bound by row-level security too.
CALL protect_tenant_table('steps');
CALL protect_tenant_table('step_blobs');
CALL protect_tenant_table('step_usage');
