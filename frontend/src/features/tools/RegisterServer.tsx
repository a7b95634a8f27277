"use client";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { Button } from "@/components/ui/Button";
import { Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Problem } from "@/components/ui/states";
import { useToasts } from "@/components/ui/Toasts";
import { AgentLimit } from "@/features/tools/AgentLimit";
import { useRegister } from "@/features/tools/queries";
import { saidOf } from "@/lib/field-problems";
import { useIdempotency } from "@/lib/idempotency";
import { paths } from "@/lib/paths";

const NAME = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

export function RegisterServer({ open, onClose }: { open: boolean; onClose: () => void }) {
  const router = useRouter();
  const toasts = useToasts();
  const register = useRegister();
  const keyOf = useIdempotency();
  const [name, setName] = useState("");
  const [url, setUrl] = useState("");
  const [authorization, setAuthorization] = useState("");
  const [agents, setAgents] = useState<string[] | null>(null);
  const wrongName = name && !NAME.test(name) ? "Lower case letters, digits and hyphens, at most 32." : null;
  const said = { name: saidOf(register.error, "name", "conflict", "already_exists"), url: saidOf(register.error, "url", "unsafe_url"), authorization: saidOf(register.error, "authorization") };
  const placed = Object.values(said).some(Boolean);
  return (
    <Dialog open={open} onClose={onClose} title="Register an MCP server">
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          const server = { name, url, agents, effects: {}, ...(authorization ? { authorization } : {}) };
          register.mutate(
            { server, key: keyOf(server) },
            {
              onSuccess: (made) => {
                toasts.done(`${made.name} is registered`, "Look at what its tools do to the world.");
                setAuthorization("");
                onClose();
                router.push(paths.tool(made.id));
              },
            },
          );
        }}
      >
        <Field label="Name" hint="Agents see its tools under this name; policies speak of name/tool." error={wrongName ?? said.name}><input className="field" required placeholder="crm" value={name} onChange={(event) => setName(event.target.value)} /></Field>
        <Field label="Address" hint="Its one endpoint, streamable HTTP over https." error={said.url}><input className="field font-mono text-xs" type="url" required maxLength={2000} placeholder="https://crm.example.com/mcp" value={url} onChange={(event) => setUrl(event.target.value)} /></Field>
        <Field label="Credentials" hint="The value of the Authorization header. It goes to the vault and is never shown again." error={said.authorization}><input className="field font-mono text-xs" type="password" autoComplete="off" maxLength={8000} placeholder="Bearer …" value={authorization} onChange={(event) => setAuthorization(event.target.value)} /></Field>
        <AgentLimit agents={agents} onChange={setAgents} />
        {register.error && !placed && <Problem error={register.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="primary" busy={register.isPending} disabled={Boolean(wrongName)}>Register</Button>
        </div>
      </form>
    </Dialog>
  );
}
