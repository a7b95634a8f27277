import type { Metadata } from "next";
import { ComparePage } from "@/features/timetravel/ComparePage";

export const metadata: Metadata = { title: "Compare" };

export default function Page() {
  return <ComparePage />;
}
