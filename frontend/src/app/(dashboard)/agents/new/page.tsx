import type { Metadata } from "next";
import { NewAgentPage } from "@/features/agents/NewAgentPage";

export const metadata: Metadata = { title: "New agent" };

export default function Page() {
  return <NewAgentPage />;
}
