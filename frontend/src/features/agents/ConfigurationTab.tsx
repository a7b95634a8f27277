"use client";
import { useState } from "react";
import type { Agent, AgentSpec, PatchAgent } from "@/api/types";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { useNewest, usePatchAgent, type Tagged } from "@/features/agents/queries";
import { envOf } from "@/features/agents/recipe";
import { ApiProblem } from "@/lib/problem";

interface Edited {
  description: string;
  cpu: string;
  memory: string;
  timeout: string;
  attempts: string;
  egress: string;
  env: string;
}

/** The settings that are changed most, as a form; the whole spec beside it. A change needs the ETag that was read. */
export function ConfigurationTab({ tagged }: { tagged: Tagged }) {
  const agent = tagged.value;
  const { may } = useAuth();
  const toasts = useToasts();
  const patch = usePatchAgent(agent.id);
  const newest = useNewest(agent.id);
  const [base, setBase] = useState(tagged);
  const [edited, setEdited] = useState(() => editedOf(agent.description, agent.spec));
  const changes = patchOf(base, edited);
  const dirty = Object.keys(changes).length > 0;
  const stale = tagged.etag !== base.etag;
  const set = (name: keyof Edited) => (event: { target: { value: string } }) => setEdited((known) => ({ ...known, [name]: event.target.value }));

  function goOnFrom(fresh: Tagged) {
    setEdited((known) => rebased(known, base.value.spec.env_vars, editedOf(base.value.description, base.value.spec), fresh.value));
    setBase(fresh);
    patch.reset();
  }

  return (
    <div className="grid items-start gap-4 lg:grid-cols-2">
      <Panel title="Settings" padded>
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            patch.mutate(
              { patch: changes, etag: base.etag },
              {
                onSuccess: (answered) => {
                  setBase(answered);
                  toasts.done("Saved", answered.value.version === base.value.version ? undefined : `v${answered.value.version}; instances are replaced one after the other.`);
                },
              },
            );
          }}
        >
          <fieldset disabled={!may("agents:write")} className="grid gap-3">
            <Field label="Description"><input className="field" value={edited.description} onChange={set("description")} /></Field>
            <div className="grid gap-3 sm:grid-cols-2">
              <Field label="CPU" hint="Cores."><input className="field" type="number" step="0.05" min="0.05" value={edited.cpu} onChange={set("cpu")} /></Field>
              <Field label="Memory" hint="Bytes, or as 512m."><input className="field" value={edited.memory} onChange={set("memory")} /></Field>
              <Field label="Time for an execution" hint="Seconds."><input className="field" type="number" min="1" value={edited.timeout} onChange={set("timeout")} /></Field>
              <Field label="Attempts" hint="At most, for each execution."><input className="field" type="number" min="1" max="20" value={edited.attempts} onChange={set("attempts")} /></Field>
            </div>
            <Field label="Hosts it may reach"><input className="field font-mono text-xs" value={edited.egress} onChange={set("egress")} /></Field>
            <Field label="Environment" hint="NAME=value, one on a line; a line taken away removes the variable.">
              <textarea className="field min-h-32 font-mono text-xs" spellCheck={false} value={edited.env} onChange={set("env")} />
            </Field>
          </fieldset>
          {patch.error && <Problem error={patch.error} />}
          {(stale || (patch.error instanceof ApiProblem && patch.error.status === 412)) && (
            <div role="status" className="flex flex-wrap items-center justify-between gap-2 rounded-lg border border-warn/40 bg-warn-soft px-3 py-2">
              The agent has changed since you began. What you typed is kept.
              <Button onClick={() => void newest().then(goOnFrom, toasts.failed)}>Go on from the newest</Button>
            </div>
          )}
          <div className="flex items-center gap-2">
            <Button type="submit" kind="primary" busy={patch.isPending} disabled={!dirty || !may("agents:write")}>Save</Button>
            <Button kind="quiet" disabled={!dirty} onClick={() => setEdited(editedOf(base.value.description, base.value.spec))}>Reset</Button>
          </div>
        </form>
      </Panel>
      <Panel title={`Spec of v${agent.version}`} padded><Code value={agent.spec} className="max-h-[40rem]" /></Panel>
    </div>
  );
}

function editedOf(description: string, spec: AgentSpec): Edited {
  return {
    description,
    cpu: String(spec.cpu_limit),
    memory: String(spec.memory_limit_bytes),
    timeout: String(spec.execution_timeout_seconds),
    attempts: String(spec.max_attempts),
    egress: spec.egress_allow.join(", "),
    env: envText(spec.env_vars),
  };
}

function envText(env: Record<string, string>): string {
  return Object.entries(env).map(([name, value]) => `${name}=${value}`).join("\n");
}

/** What was changed here, on top of what somebody else made of the rest. */
function rebased(edited: Edited, envBefore: Record<string, string>, before: Edited, fresh: Agent): Edited {
  const theirs = editedOf(fresh.description, fresh.spec);
  const mine = Object.fromEntries(Object.entries(edited).filter(([name, value]) => value !== before[name as keyof Edited]));
  if (edited.env === before.env) return { ...theirs, ...mine };
  const now = envOf(edited.env);
  const changed = Object.entries(now).filter(([name, value]) => envBefore[name] !== value);
  const kept = Object.entries(fresh.spec.env_vars).filter(([name]) => name in now || !(name in envBefore));
  return { ...theirs, ...mine, env: envText(Object.fromEntries([...kept, ...changed])) };
}

/** Only what is different, so that a change of a description makes no new version. */
function patchOf(base: Tagged, edited: Edited): PatchAgent {
  const before = editedOf(base.value.description, base.value.spec);
  const patch: Record<string, unknown> = {};
  if (edited.description !== before.description) patch.description = edited.description;
  if (edited.cpu !== before.cpu) patch.cpu_limit = Number(edited.cpu);
  if (edited.memory !== before.memory) patch.memory_limit = edited.memory;
  if (edited.timeout !== before.timeout) patch.execution_timeout_seconds = Number(edited.timeout);
  if (edited.attempts !== before.attempts) patch.max_attempts = Number(edited.attempts);
  if (edited.egress !== before.egress) patch.egress_allow = edited.egress.split(/[\s,]+/).filter(Boolean);
  if (edited.env !== before.env) {
    const now = envOf(edited.env);
    const gone = Object.keys(base.value.spec.env_vars).filter((name) => !(name in now)).map((name) => [name, null]);
    patch.env_vars = { ...now, ...Object.fromEntries(gone) };
  }
  return patch as PatchAgent;
}
