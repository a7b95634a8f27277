import type { Metadata } from "next";
import { ServerPage } from "@/features/tools/ServerPage";

export const metadata: Metadata = { title: "MCP server" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <ServerPage />;
}
