import type { Metadata } from "next";
import { SpendingPage } from "@/features/spending/SpendingPage";

export const metadata: Metadata = { title: "Spending" };

export default function Page() {
  return <SpendingPage />;
}
