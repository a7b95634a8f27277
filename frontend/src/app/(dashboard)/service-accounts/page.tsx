import type { Metadata } from "next";
import { ServiceAccountsPage } from "@/features/apikeys/ServiceAccountsPage";

export const metadata: Metadata = { title: "Service accounts" };

export default function Page() {
  return <ServiceAccountsPage />;
}
