import type { Metadata } from "next";
import { PolicyPage } from "@/features/policy/PolicyPage";

export const metadata: Metadata = { title: "Policy" };

export default function Page() {
  return <PolicyPage />;
}
