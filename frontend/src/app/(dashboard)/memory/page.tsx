import type { Metadata } from "next";
import { MemoryPage } from "@/features/memory/MemoryPage";

export const metadata: Metadata = { title: "Memory" };

export default function Page() {
  return <MemoryPage />;
}
