"use client";
import { PageHeader } from "@/components/ui/Panel";
import { ExecutionList } from "@/features/executions/ExecutionList";
import { paths } from "@/lib/paths";

export function TimeTravelPage() {
  return (
    <>
      <PageHeader title="Time travel" subtitle="Open an execution to see each step that it took, go on from any of them, and compare what became of it." />
      <ExecutionList href={(execution) => paths.travel(execution.id)} />
    </>
  );
}
