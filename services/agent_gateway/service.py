"""Declaration of the agent-gateway."""

from typing import Any

from services.agent_gateway import key_loops
from services.agent_gateway.active import ActiveExecutions
from services.agent_gateway.admission import Admission
from services.agent_gateway.agent_memory import AgentMemory
from services.agent_gateway.bulk.advancing import Advancing
from services.agent_gateway.bulk.bulk_store import BulkStore
from services.agent_gateway.bulk.bulks import Bulks
from services.agent_gateway.bulk.routes import router as bulk_router
from services.agent_gateway.bulk.selecting import Selecting
from services.agent_gateway.change_store import ChangeStore
from services.agent_gateway.creation_store import CreationStore
from services.agent_gateway.dispatcher import Dispatcher
from services.agent_gateway.doors import Door
from services.agent_gateway.egress.proxy import EgressProxy
from services.agent_gateway.endpoints import Endpoints
from services.agent_gateway.execution_store import ExecutionStore
from services.agent_gateway.face import Face
from services.agent_gateway.fidelity import Fidelities
from services.agent_gateway.fidelity_store import FidelityStore
from services.agent_gateway.gates import Gates
from services.agent_gateway.interrupt_store import InterruptStore
from services.agent_gateway.invocation import Invoker
from services.agent_gateway.jobs import Jobs
from services.agent_gateway.keeping import Keeping
from services.agent_gateway.key_store import KeyStore
from services.agent_gateway.keys import Keys
from services.agent_gateway.logic import Gateway
from services.agent_gateway.memory_door import MemoryDoor
from services.agent_gateway.model_calls import ModelCalls
from services.agent_gateway.model_door import ModelDoor
from services.agent_gateway.outbound import Outbound
from services.agent_gateway.queue_store import QueueStore
from services.agent_gateway.recorder import Recorder
from services.agent_gateway.redaction.redactor import Redactor
from services.agent_gateway.redaction.steps import Redaction
from services.agent_gateway.replay import loops as travel_loops
from services.agent_gateway.replay.fork_store import ForkStore
from services.agent_gateway.replay.given_answers import GivenAnswers
from services.agent_gateway.replay.routes import router as time_travel_router
from services.agent_gateway.replay.time_travel import time_travel
from services.agent_gateway.result_door import ResultDoor
from services.agent_gateway.routes import router
from services.agent_gateway.scripted import ScriptedProvider
from services.agent_gateway.settings import GatewaySettings
from services.agent_gateway.spending import loops as spending_loops
from services.agent_gateway.spending.routes import router as spending_router
from services.agent_gateway.spending.spending import Spending
from services.agent_gateway.tools import loops as tool_loops
from services.agent_gateway.tools.routes import router as tools_router
from services.agent_gateway.tools.toolbox import Toolbox
from services.agent_gateway.tools.waiting import Waiting
from services.agent_gateway.upstreams import Upstreams
from services.agent_gateway.watching import Watchers
from services.chassis.ids import new_id
from services.chassis.resources import Resources
from services.chassis.service import Service, every, on
from services.contracts.agent_observability import AgentObservabilityClient
from services.contracts.agents import AGENT_EVENTS
from services.contracts.control_brain import ControlBrainClient
from services.contracts.memory_forks import MemoryForksClient
from services.contracts.memory_vector_engine import MemoryVectorEngineClient
from services.contracts.node_manager import NodeManagerClient
from services.contracts.secrets_manager import SecretsManagerClient


def build(resources: Resources) -> Gateway:
    """The gateway, put together."""
    settings = resources.settings(GatewaySettings)
    clock, journal = resources.clock, resources.client(AgentObservabilityClient)
    active, watchers, endpoints = ActiveExecutions(), Watchers(), Endpoints(clock)
    lease = (new_id(), settings.lease_seconds)
    queue, creations = QueueStore(resources.db, *lease), CreationStore(resources.db, *lease)
    changes = ChangeStore(resources.db, settings.lease_seconds)
    agents = Outbound(settings.connect_seconds)
    invoker = Invoker(agents, clock, settings.max_output_bytes)
    interrupts = InterruptStore(resources.db)
    dispatcher = Dispatcher(queue, changes, endpoints, active, invoker, journal, watchers, interrupts)
    brain = resources.client(ControlBrainClient)
    answers = GivenAnswers(interrupts, ForkStore(resources.db), journal)
    jobs = Jobs(queue, dispatcher, active, brain, watchers, clock, settings.jobs_in_flight, answers)
    keys = _keys(resources, settings)
    scripted = ScriptedProvider(clock)
    upstreams = Upstreams(scripted, resources.client(SecretsManagerClient), settings, clock)
    hold, wait = settings.budget_hold_seconds, settings.budget_wait_seconds
    spending = Spending(resources.db, clock, upstreams.is_scripted, hold, wait)
    travel = time_travel(resources, dispatcher, active, watchers, jobs.wake, spending.stops)
    gates = Gates([spending.policies, travel.replays, spending.budgets])
    redaction = Redaction(Redactor(_own_secret(resources)), spending.policies.redactions)
    recorder = Recorder(journal, gates, clock, spending.prices, settings.journal_seconds, redaction)
    calls = ModelCalls(gates, upstreams, recorder, redaction, clock, settings.max_call_bytes)
    engine = resources.client(MemoryVectorEngineClient)
    own_memory = AgentMemory(engine, resources.client(MemoryForksClient))
    memory = MemoryDoor(own_memory, gates, recorder, clock)
    results = ResultDoor(active, queue, dispatcher, settings.max_call_bytes)
    waiting = Waiting(active, dispatcher.transitions, watchers)
    tools = Toolbox(resources, settings, gates, spending.policies, recorder, waiting, own_memory)
    doors: list[Door] = [ModelDoor(calls, upstreams, clock), memory, results, *tools.doors]
    nodes = resources.client(NodeManagerClient)
    keeping = Keeping(queue, changes, dispatcher, jobs, keys, endpoints, active, nodes, settings.gone_seconds)
    executions, bulk_store = ExecutionStore(resources.db), BulkStore(resources.db)
    bulk_work = Advancing(bulk_store, executions, travel.forks, spending.stops)
    guard, idle = resources.egress, settings.egress_idle_seconds
    return Gateway(
        executions=executions,
        admission=Admission(creations, dispatcher, jobs, watchers),
        dispatcher=dispatcher,
        jobs=jobs,
        keeping=keeping,
        keys=keys,
        active=active,
        watchers=watchers,
        recorder=recorder,
        scripted=scripted,
        spending=spending,
        tools=tools,
        outbound=(agents, upstreams),
        face=Face(keys, active, doors),
        time_travel=travel,
        fidelities=Fidelities(FidelityStore(resources.db), journal, recorder),
        bulks=Bulks(bulk_store, Selecting(executions, journal), journal, spending, bulk_work),
        memory=engine,
        egress=EgressProxy(keys, active, gates, recorder, guard, clock, idle),
        clock=clock,
    )


def _own_secret(resources: Resources) -> str:
    # Virtual keys and redaction tags are derived from the gateway's own service key, which outlives restarts.
    return resources.platform.service_keys["agent-gateway"]


def _keys(resources: Resources, settings: GatewaySettings) -> Keys:
    return Keys(
        KeyStore(resources.db),
        resources.clock,
        _own_secret(resources),
        settings.token_seconds,
        settings.key_cache_seconds,
    )


service: Service[Any] = Service(
    name="agent-gateway",
    build=build,
    routes=[router, time_travel_router, bulk_router, spending_router, tools_router],
    handlers=[on(AGENT_EVENTS, Gateway.instance_changed, every_replica=True)],
    loops=[
        every(1, Gateway.commit_creations, woken_by=lambda gateway: gateway.admission.creations.waiting),
        every(1, Gateway.read, woken_by=lambda gateway: gateway.readings.waiting),
        every(1, Gateway.commit_transitions, woken_by=lambda gateway: gateway.dispatcher.transitions.waiting),
        every(1, Gateway.commit_said, woken_by=lambda gateway: gateway.dispatcher.said.waiting),
        every(1, Gateway.commit_steps, woken_by=lambda gateway: gateway.recorder.steps.waiting),
        every(1, Gateway.dispatch, woken_by=lambda gateway: gateway.dispatcher.wake),
        every(1, Gateway.dispatch_jobs, woken_by=lambda gateway: gateway.jobs.wake),
        every(1, Gateway.tidy_jobs),
        every(5, Gateway.end_diverged, woken_by=lambda gateway: gateway.time_travel.replays.diverged),
        every(1, travel_loops.settle_fidelity),
        every(
            1,
            travel_loops.advance_bulk_forks,
            exclusive=True,
            woken_by=lambda gateway: gateway.bulks.work.wake,
        ),
        every(0.5, Gateway.look_for_work),
        every(0.5, Gateway.expire),
        every(1, key_loops.let_go_of_cancelled),
        every(5, Gateway.refresh, woken_by=lambda gateway: gateway.keeping.look),
        every(3, Gateway.renew),
        every(1, Gateway.take_over),
        every(3600, key_loops.sweep_keys),
        every(30, key_loops.revoke_ended, exclusive=True),
        every(1, tool_loops.commit_effects, woken_by=lambda g: g.tools.ledger.beginnings.waiting),
        every(1, tool_loops.commit_results, woken_by=lambda g: g.tools.ledger.endings.waiting),
        every(1, tool_loops.end_approvals),
        every(1, tool_loops.cancel_orphans),
        every(0.4, spending_loops.refresh_rules),
        every(2, spending_loops.refresh_prices),
        every(0.5, spending_loops.tell_spending, woken_by=lambda g: g.spending.budgets.holdings.untold),
        every(0.5, spending_loops.enforce_stops),
        every(3600, spending_loops.sweep_budgets),
    ],
    roles=["tenant", "system"],
    open_prefixes=("/v1/", "/mcp", "/a2a/"),
    front=Gateway.before,
    tunnel=lambda gateway: gateway.egress.serve,
    stop=Gateway.stop,
)
