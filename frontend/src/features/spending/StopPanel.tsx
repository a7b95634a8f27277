"use client";
import { OctagonX, Play } from "lucide-react";
import { useState } from "react";
import { useStop, useStopping } from "@/components/shell/stop";
import { Actor } from "@/components/ui/Actor";
import { Button } from "@/components/ui/Button";
import { Confirm, Dialog } from "@/components/ui/Dialog";
import { Field } from "@/components/ui/Field";
import { Guarded } from "@/components/ui/Guarded";
import { Panel } from "@/components/ui/Panel";
import { Problem, View } from "@/components/ui/states";
import { Time } from "@/components/ui/Time";
import { useToasts } from "@/components/ui/Toasts";
import { useAuth } from "@/contexts/AuthContext";
import { saidOf } from "@/lib/field-problems";
import { plural } from "@/lib/format";

/** The stop of everything: how it stands, and both ways. */
export function StopPanel() {
  const { me } = useAuth();
  const query = useStop();
  const [asking, setAsking] = useState<"stop" | "start" | null>(null);
  return (
    <Panel className="mb-4" padded>
      <View query={query} rows={1}>
        {(stop) => (
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2" data-stop={stop.stopped}>
            <p className="min-w-0 grow basis-72">
              <span className="font-medium">{stop.stopped ? "Every agent is stopped." : "Agents may work."}</span>{" "}
              <span className="text-muted">
                {stop.stopped ? (
                  <>
                    Since <Time at={stop.at} />, by {stop.by ? <Actor actor={stop.by} /> : "somebody"}: {stop.reason} {stop.cancelled > 0 && `It ended ${plural(stop.cancelled, "execution")}.`}
                  </>
                ) : (
                  "A stop ends every execution within two seconds and lets nothing begin, until somebody lifts it."
                )}
              </span>
            </p>
            {stop.stopped ? (
              <Guarded needs="organisation:stop" kind="primary" onClick={() => setAsking("start")}><Play aria-hidden /> Let agents work again</Guarded>
            ) : (
              <Guarded needs="organisation:stop" kind="danger" onClick={() => setAsking("stop")}><OctagonX aria-hidden /> Stop everything</Guarded>
            )}
          </div>
        )}
      </View>
      <StopDialog open={asking === "stop"} onClose={() => setAsking(null)} organisation={me.organisation_name} />
      <StartDialog open={asking === "start"} onClose={() => setAsking(null)} />
    </Panel>
  );
}

function StopDialog({ open, onClose, organisation }: { open: boolean; onClose: () => void; organisation: string }) {
  const { stop } = useStopping();
  const toasts = useToasts();
  const [reason, setReason] = useState("");
  const said = saidOf(stop.error, "reason");
  return (
    <Dialog open={open} onClose={onClose} title={`Stop all of ${organisation}?`}>
      <form
        className="grid gap-3"
        onSubmit={(event) => {
          event.preventDefault();
          stop.mutate(reason, {
            onSuccess: (done) => {
              toasts.done("Everything is stopped", `${plural(done.cancelled, "execution")} ended.`);
              setReason("");
              onClose();
            },
          });
        }}
      >
        <ul className="grid list-disc gap-1 pl-4 text-muted">
          <li>Every execution under way ends within two seconds, as cancelled.</li>
          <li>Every further call of your agents to models and tools is refused.</li>
          <li>New executions are refused with your reason, by API, CLI and schedule.</li>
          <li>Agents’ processes stay. Calls that a provider has already are not taken back.</li>
          <li>It stays so, across restarts, until somebody lifts it.</li>
        </ul>
        <Field label="Reason" hint="Whoever is refused reads it." error={said}>
          <input className="field" required maxLength={500} placeholder="Runaway costs of research" value={reason} onChange={(event) => setReason(event.target.value)} />
        </Field>
        {stop.error && !said && <Problem error={stop.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind="danger" busy={stop.isPending}>Stop everything</Button>
        </div>
      </form>
    </Dialog>
  );
}

function StartDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { start } = useStopping();
  const toasts = useToasts();
  return (
    <Confirm
      open={open}
      onClose={onClose}
      title="Let agents work again?"
      action="Let agents work again"
      busy={start.isPending}
      error={start.error}
      onConfirm={() =>
        start.mutate(undefined, {
          onSuccess: () => {
            toasts.done("Agents may work again");
            onClose();
          },
        })
      }
    >
      Calls are let through and new executions begin. What the stop ended stays ended: run it again where it matters.
    </Confirm>
  );
}
