import type { Metadata } from "next";
import { MembersPage } from "@/features/organisation/MembersPage";

export const metadata: Metadata = { title: "Members" };

export default function Page() {
  return <MembersPage />;
}
