import type { Metadata } from "next";
import { AgentPage } from "@/features/agents/AgentPage";

export const metadata: Metadata = { title: "Agent" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <AgentPage />;
}
