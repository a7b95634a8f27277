"""
Searching memory in one statement: two rankings, fused, with what is needed to explain them.

Near embeddings come by one of the plans of `plans.py`; words by BM25 (Robertson and Zaragoza 2009; k1 1.2,
b 0.75) over postings. Ranks are fused by weighted reciprocal rank fusion (Cormack, Clarke and Büttcher 2009).
Statements are put together from the fragments below; whatever a caller gives travels as a parameter.
"""

# ruff: noqa: S608

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.chassis.database import Connection, Database, Row
from services.contracts.memories import Explained, FoundMemory, SearchMemories
from services.memory_vector_engine.collection_store import Size
from services.memory_vector_engine.plans import Plan
from services.memory_vector_engine.reading_store import Parameters, alive, memory_from, wanted
from services.memory_vector_engine.rotation import Vector
from services.memory_vector_engine.vector_store import bits

# One plan for each statement, whatever the planner believes about a table that just grew.
ONE_PLAN = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off"
THROUGH_GRAPH = "SET LOCAL hnsw.ef_search = 400; SET LOCAL hnsw.iterative_scan = relaxed_order"
MOST_TERMS = 64

_BM25 = "sum(ln(1 + (greatest({n}, f.found) - f.found + 0.5) / (f.found + 0.5)) * 2.2 * p.frequency"
_BM25 += " / (p.frequency + 1.2 * (0.25 + 0.75 * p.words / {mean})))"


@dataclass(frozen=True)
class Near:
    """The embedding to be near to; an exact plan needs no signature."""

    model_id: int
    vector: Vector
    signature: bytes
    plan: Plan


@dataclass(frozen=True)
class Question:
    """A search, with everything decided that a rule decides."""

    org_id: UUID
    asked: SearchMemories
    collections: Sequence[UUID] | None
    size: Size
    near: Near | None
    lexical: bool
    language: str
    candidates: int
    as_of: datetime | None = None

    @property
    def pool(self) -> int:
        """How many of each ranking are fused."""
        return max(50, 2 * self.asked.limit)


class SearchStore:
    """Reads memory_vectors, memory_terms and memories for a search."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, question: Question) -> list[FoundMemory]:
        """The memories that answer best, best first."""
        async with self._db.tenant(question.org_id) as connection:
            return await self.find_in(connection, question)

    async def find_in(self, connection: Connection, question: Question) -> list[FoundMemory]:
        """The same, inside the caller's transaction."""
        statement, parameters = statement_of(question)
        graph = question.near is not None and question.near.plan == "graph"
        await connection.execute(f"{ONE_PLAN}; {THROUGH_GRAPH}" if graph else ONE_PLAN)
        rows = await connection.fetch(statement, *parameters.values)
        return [_found(row) for row in rows]


def statement_of(question: Question) -> tuple[str, Parameters]:
    """The statement of a search and its values."""
    parameters = Parameters()
    org = parameters.add(question.org_id, "uuid")
    filters = wanted(question.asked, parameters)
    parts = []
    if question.as_of is not None:
        parts += _past(question, org, filters, parameters)
        source, source_filters = "past", []
    else:
        parts += _vector_leg(question, org, filters, parameters)
        parts += _lexical_leg(question, org, filters, parameters)
        source, source_filters = "memories", [alive(None, parameters)]
    parts.append(_ranked(question, parameters))
    half_life = parameters.add(question.asked.half_life_days, "float8")
    conditions = " AND ".join(["m.org_id = " + org, *source_filters])
    final = (
        "SELECT m.*, r.vector_rank, r.similarity, r.lexical_rank, r.bm25, r.terms, r.fused,"
        " 0.95 + 0.05 * m.importance AS importance_factor,"
        f" coalesce(power(0.5, extract(epoch FROM now() - m.created_at) / 86400 / {half_life}), 1)::float8"
        f" AS age_factor FROM ranked r CROSS JOIN LATERAL (SELECT * FROM {source} m"
        f" WHERE m.id = r.id AND {conditions} OFFSET 0) m"
    )
    ordered = (
        f"SELECT * FROM ({final}) s ORDER BY fused * importance_factor * age_factor DESC, id DESC"
        f" LIMIT {parameters.add(question.asked.limit, 'int')}"
    )
    return f"WITH {', '.join(parts)} {ordered}", parameters


def _vector_leg(question: Question, org: str, filters: list[str], parameters: Parameters) -> list[str]:
    near = question.near
    if near is None:
        return ["vector_leg AS (SELECT NULL::uuid AS id, NULL::float8 AS similarity WHERE false)"]
    model = parameters.add(near.model_id, "int")
    embedding = _once(near.vector, parameters)
    pool = parameters.add(question.pool, "int")
    source, where = _vectors(question, org, model, filters, parameters)
    measured = f"v.memory_id AS id, 1 - (v.embedding <=> {embedding}) AS similarity"
    nearest = f"ORDER BY v.embedding <=> {embedding} LIMIT {pool}"
    if near.plan == "exact":
        return [f"vector_leg AS MATERIALIZED (SELECT {measured} FROM {source} WHERE {where} {nearest})"]
    signature = parameters.add(bits(near.signature), "bit(1536)")
    candidates = parameters.add(max(question.candidates, 2 * question.pool), "int")
    by_signature = f"ORDER BY v.signature <~> {signature} LIMIT {candidates}"
    found = f"SELECT v.memory_id FROM {source} WHERE {where} {by_signature}"
    if near.plan == "graph":
        graph = question.size.graph
        assert graph is not None
        through = parameters.add(graph.built_through, "timestamptz")
        found = (
            f"(SELECT g.memory_id FROM memory_graph_entries g WHERE g.graph_id = {int(graph.id)}"
            f" ORDER BY g.embedding <=> {embedding} LIMIT {candidates}) UNION (SELECT v.memory_id"
            f" FROM (SELECT * FROM memory_vectors r WHERE r.org_id = {org} AND r.stored_at >= {through}"
            f" OFFSET 0) v WHERE {where} {by_signature})"
        )
    return [
        f"near AS MATERIALIZED ({found})",
        f"vector_leg AS MATERIALIZED (SELECT {measured} FROM near CROSS JOIN LATERAL (SELECT * FROM"
        f" memory_vectors v WHERE v.org_id = {org} AND v.memory_id = near.memory_id AND v.model_id = {model}"
        " AND (v.expires_at IS NULL OR v.expires_at > now())"
        f" OFFSET 0) v {nearest})",
    ]


def _vectors(
    question: Question, org: str, model: str, filters: list[str], parameters: Parameters
) -> tuple[str, str]:
    where = [
        f"v.org_id = {org}",
        f"v.model_id = {model}",
        _among("v.collection_id", question.size.ids, parameters),
        "(v.expires_at IS NULL OR v.expires_at > now())",
    ]
    if not filters:
        return "memory_vectors v", " AND ".join(where)
    matching = _matching(org, "v.memory_id", filters)
    return f"memory_vectors v CROSS JOIN LATERAL ({matching}) m", " AND ".join(where)


def _matching(org: str, memory_id: str, filters: list[str]) -> str:
    # OFFSET 0 keeps this a look-up by id: with old statistics the planner would read a whole organisation.
    conditions = " AND ".join([f"m.org_id = {org}", f"m.id = {memory_id}", "m.valid_to IS NULL", *filters])
    return f"SELECT FROM memories m WHERE {conditions} OFFSET 0"


def _lexical_leg(question: Question, org: str, filters: list[str], parameters: Parameters) -> list[str]:
    if not question.lexical:
        return [_NO_WORDS]
    among = _among("p.collection_id", question.size.ids, parameters)
    limit = parameters.add(question.pool, "int")
    scored = "SELECT id, bm25, terms FROM scores"
    if filters:
        scored += f" CROSS JOIN LATERAL ({_matching(org, 'scores.id', filters)}) m"
    return [
        _terms(question, parameters),
        # Word by word, so that each is a key of the index and not a filter over the whole collection.
        "postings AS MATERIALIZED (SELECT t.term, p.id, p.frequency, p.words"
        " FROM (SELECT unnest(terms) AS term FROM asked) t CROSS JOIN LATERAL (SELECT p.memory_id AS id,"
        f" p.frequency, p.words FROM memory_terms p WHERE p.org_id = {org} AND {among} AND p.term = t.term"
        " AND (p.expires_at IS NULL OR p.expires_at > now()) OFFSET 0) p)",
        *_scores(question, parameters),
        f"lexical_leg AS MATERIALIZED ({scored} ORDER BY bm25 DESC, id DESC LIMIT {limit})",
    ]


def _past(question: Question, org: str, filters: list[str], parameters: Parameters) -> list[str]:
    """The legs of a search of the past, which no posting or signature serves: every version is read."""
    conditions = [f"m.org_id = {org}", alive(question.as_of, parameters), *filters]
    if question.collections is not None:
        conditions.append(_among("m.collection_id", question.collections, parameters))
    limit = parameters.add(question.pool, "int")
    parts = [f"past AS MATERIALIZED (SELECT m.* FROM memories m WHERE {' AND '.join(conditions)})"]
    if question.near is None:
        parts += _vector_leg(question, org, filters, parameters)
    else:
        model = parameters.add(question.near.model_id, "int")
        embedding = _once(question.near.vector, parameters)
        known = f"v.org_id = {org} AND v.content_hash = past.content_hash AND v.model_id = {model}"
        parts.append(
            f"vector_leg AS MATERIALIZED (SELECT past.id, 1 - (k.embedding <=> {embedding}) AS similarity"
            f" FROM past CROSS JOIN LATERAL ((SELECT embedding FROM memory_vectors v WHERE {known} LIMIT 1)"
            f" UNION ALL (SELECT embedding FROM memory_past_vectors v WHERE {known}) LIMIT 1) AS k"
            f" ORDER BY k.embedding <=> {embedding} LIMIT {limit})"
        )
    if not question.lexical:
        return [*parts, _NO_WORDS]
    return [
        *parts,
        _terms(question, parameters),
        "postings AS MATERIALIZED (SELECT u.lexeme AS term, past.id, cardinality(u.positions) AS frequency,"
        " past.words FROM past, unnest(to_tsvector(past.language, past.content)) u"
        " WHERE u.lexeme = ANY((SELECT terms FROM asked)::text[]))",
        *_scores(question, parameters),
        "lexical_leg AS MATERIALIZED (SELECT id, bm25, terms FROM scores"
        f" ORDER BY bm25 DESC, id DESC LIMIT {limit})",
    ]


_NO_WORDS = (
    "lexical_leg AS (SELECT NULL::uuid AS id, NULL::float8 AS bm25, NULL::text[] AS terms WHERE false)"
)


def _terms(question: Question, parameters: Parameters) -> str:
    language = parameters.add(question.language, "text")
    text = parameters.add(question.asked.query, "text")
    terms = f"(tsvector_to_array(to_tsvector({language}::regconfig, {text})))[1:{MOST_TERMS}]"
    return f"asked AS MATERIALIZED (SELECT {terms} AS terms)"


def _scores(question: Question, parameters: Parameters) -> list[str]:
    n = parameters.add(float(question.size.live), "float8")
    mean = parameters.add(question.size.mean_words, "float8")
    bm25 = _BM25.format(n=n, mean=mean)
    return [
        "frequencies AS MATERIALIZED (SELECT term, count(*) AS found FROM postings GROUP BY term)",
        f"scores AS (SELECT p.id, {bm25} AS bm25, array_agg(p.term ORDER BY p.term) AS terms"
        " FROM postings p JOIN frequencies f USING (term) GROUP BY p.id)",
    ]


def _ranked(question: Question, parameters: Parameters) -> str:
    weight = (
        question.size.vector_weight if question.lexical and question.near else float(not question.lexical)
    )
    vector, lexical = parameters.add(weight, "float8"), parameters.add(1 - weight, "float8")
    constant = parameters.add(question.size.rank_constant, "float8")
    return (
        # Materialised, because under row-level security an index takes a column as its key, not a coalesce().
        "ranked AS MATERIALIZED (SELECT coalesce(v.id, l.id) AS id, v.rank AS vector_rank, v.similarity,"
        " l.rank AS lexical_rank, l.bm25, l.terms, (coalesce("
        f"{vector} / ({constant} + v.rank), 0) + coalesce({lexical} / ({constant} + l.rank), 0))"
        f" * ({constant} + 1) AS fused"
        " FROM (SELECT *, row_number() OVER (ORDER BY similarity DESC, id DESC) AS rank FROM vector_leg) v"
        " FULL JOIN (SELECT *, row_number() OVER (ORDER BY bm25 DESC, id DESC) AS rank FROM lexical_leg) l"
        " ON v.id = l.id)"
    )


def _once(vector: Vector, parameters: Parameters) -> str:
    # A sub-select is computed once; in a generic plan a bare cast would be repeated for every row.
    return f"(SELECT {parameters.add(vector.tolist(), 'real[]')}::halfvec(1536))"


def _among(column: str, ids: Sequence[UUID], parameters: Parameters) -> str:
    if len(ids) == 1:
        return f"{column} = {parameters.add(ids[0], 'uuid')}"
    return f"{column} = ANY({parameters.add(list(ids), 'uuid[]')})"


def _found(row: Row) -> FoundMemory:
    explained = Explained(
        vector_rank=row["vector_rank"],
        similarity=row["similarity"],
        lexical_rank=row["lexical_rank"],
        bm25=row["bm25"],
        matched_terms=row["terms"] or [],
        importance_factor=row["importance_factor"],
        age_factor=row["age_factor"],
    )
    score = row["fused"] * row["importance_factor"] * row["age_factor"]
    return FoundMemory(memory=memory_from(row), score=score, explained=explained)
