"use client";
import { useRouter } from "next/navigation";
import { useState, type ReactNode } from "react";
import { Button, LinkButton } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { PageHeader, Panel } from "@/components/ui/Panel";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { Equivalents } from "@/features/agents/Equivalents";
import { useDeploy } from "@/features/agents/queries";
import { emptyDraft, requestOf, type Draft } from "@/features/agents/recipe";
import { useIdempotency } from "@/lib/idempotency";
import { paths } from "@/lib/paths";
import { ApiProblem } from "@/lib/problem";

const NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

export function NewAgentPage() {
  const router = useRouter();
  const toasts = useToasts();
  const deploy = useDeploy();
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const keyOf = useIdempotency();
  const set = <Name extends keyof Draft>(name: Name) => (value: Draft[Name]) => setDraft((known) => ({ ...known, [name]: value }));
  const nameError = draft.name && !NAME.test(draft.name) ? "Lower case letters, digits and hyphens, as research-agent." : null;
  const problem = deploy.error instanceof ApiProblem ? deploy.error : null;
  const refused = (pointer: string) => problem?.fields.find((field) => field.pointer.includes(pointer))?.detail ?? null;

  return (
    <>
      <PageHeader title="New agent" subtitle="It is placed on a node, started and watched as soon as you deploy it." />
      <form
        className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_24rem]"
        onSubmit={(event) => {
          event.preventDefault();
          deploy.mutate(
            { agent: requestOf(draft), key: keyOf(requestOf(draft)) },
            {
              onSuccess: (agent) => {
                toasts.done(`${agent.name} is deployed`, "It starts now.");
                router.push(paths.agent(agent.id));
              },
            },
          );
        }}
      >
        <div className="grid gap-4">
          <Group title="What runs">
            <Field label="Name" hint="Unique in your organisation." error={nameError ?? refused("name")}>
              <input className="field" required autoFocus autoComplete="off" spellCheck={false} placeholder="research-agent" value={draft.name} onChange={(event) => set("name")(event.target.value)} />
            </Field>
            <Field label="Description" hint="For people.">
              <input className="field" value={draft.description} onChange={(event) => set("description")(event.target.value)} />
            </Field>
            <Field label="Source">
              <select className="field" value={draft.source} onChange={(event) => set("source")(event.target.value as Draft["source"])}>
                <option value="image">An image</option>
                <option value="bundle">An uploaded bundle</option>
              </select>
            </Field>
            {draft.source === "image" ? (
              <Field label="Image" hint="agent-runtime:latest is the demo agent; it needs no registry." error={refused("docker_image")}>
                <input className="field font-mono text-xs" required spellCheck={false} value={draft.image} onChange={(event) => set("image")(event.target.value)} />
              </Field>
            ) : (
              <Field label="Bundle" hint="Its digest, as `agentplane deploy-agent --folder` prints it." error={refused("bundle")}>
                <input className="field font-mono text-xs" required spellCheck={false} pattern="[0-9a-f]{64}" value={draft.bundle} onChange={(event) => set("bundle")(event.target.value)} />
              </Field>
            )}
            <Field label="Command" hint="Empty: what the image says." error={refused("command")}>
              <input className="field font-mono text-xs" spellCheck={false} placeholder="python agent.py" value={draft.command} onChange={(event) => set("command")(event.target.value)} />
            </Field>
          </Group>
          <Group title="How it runs">
            <Field label="Mode" hint={draft.mode === "service" ? "Warm instances answer many executions." : "One process for each execution."}>
              <select className="field" value={draft.mode} onChange={(event) => set("mode")(event.target.value as Draft["mode"])}>
                <option value="service">Service</option>
                <option value="job">Job</option>
              </select>
            </Field>
            <Field label="Instances" error={refused("replicas")}>
              <input className="field" type="number" min={0} max={1000} disabled={draft.mode === "job"} value={draft.replicas} onChange={(event) => set("replicas")(event.target.valueAsNumber || 0)} />
            </Field>
            <Field label="CPU" hint="Cores." error={refused("cpu_limit")}>
              <input className="field" type="number" step="0.05" min="0.05" max="256" required value={draft.cpu} onChange={(event) => set("cpu")(event.target.value)} />
            </Field>
            <Field label="Memory" hint="As 512m or 1.5g." error={refused("memory_limit")}>
              <input className="field" required pattern="\s*\d+(\.\d+)?\s*[kmgtKMGT]?[iI]?[bB]?\s*" value={draft.memory} onChange={(event) => set("memory")(event.target.value)} />
            </Field>
            <Field label="Isolation" hint="The least that you accept." error={refused("isolation")}>
              <select className="field" value={draft.isolation} onChange={(event) => set("isolation")(event.target.value as Draft["isolation"])}>
                <option value="">The node’s strongest</option>
                <option value="namespaces">Namespaces: no network but the gateway</option>
                <option value="user">A user of its own</option>
                <option value="none">None</option>
              </select>
            </Field>
            <Field label="Time for an execution" hint="Seconds, from its creation." error={refused("execution_timeout")}>
              <input className="field" type="number" min={1} max={86400} required value={draft.timeout} onChange={(event) => set("timeout")(event.target.value)} />
            </Field>
          </Group>
          <Group title="What it may know and reach" single>
            <Field label="Environment" hint="NAME=value, one on a line. What looks like a provider’s key goes to the vault and never to the agent." error={refused("env_vars")}>
              <textarea className="field min-h-24 font-mono text-xs" spellCheck={false} placeholder={"AGENT_ROLE=research\nOPENAI_API_KEY=sk-…"} value={draft.env} onChange={(event) => set("env")(event.target.value)} />
            </Field>
            <Field label="Hosts it may reach" hint="Besides the gateway; empty is none. As api.example.com or *.example.com." error={refused("egress")}>
              <input className="field font-mono text-xs" spellCheck={false} value={draft.egress} onChange={(event) => set("egress")(event.target.value)} />
            </Field>
          </Group>
          {deploy.error && <Problem error={deploy.error} />}
          <div className="flex gap-2">
            <Button type="submit" kind="primary" busy={deploy.isPending} disabled={Boolean(nameError)}>Deploy</Button>
            <LinkButton kind="quiet" href={paths.agents}>Cancel</LinkButton>
          </div>
        </div>
        <Equivalents draft={draft} />
      </form>
    </>
  );
}

function Group({ title, children, single = false }: { title: string; children: ReactNode; single?: boolean }) {
  return (
    <Panel title={title} padded>
      <div className={single ? "grid gap-3" : "grid gap-x-4 gap-y-3 sm:grid-cols-2"}>{children}</div>
    </Panel>
  );
}
