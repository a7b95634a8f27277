import type { Metadata } from "next";
import { ExecutionPage } from "@/features/executions/ExecutionPage";

export const metadata: Metadata = { title: "Execution" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <ExecutionPage />;
}
