"use client";
import { PageHeader } from "@/components/ui/Panel";
import { ExecutionList } from "@/features/executions/ExecutionList";

export function ExecutionsPage() {
  return (
    <>
      <PageHeader title="Executions" subtitle="Every piece of work that was given to an agent, newest first." />
      <ExecutionList />
    </>
  );
}
