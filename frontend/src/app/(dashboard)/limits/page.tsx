import type { Metadata } from "next";
import { LimitsPage } from "@/features/limits/LimitsPage";

export const metadata: Metadata = { title: "Limits" };

export default function Page() {
  return <LimitsPage />;
}
