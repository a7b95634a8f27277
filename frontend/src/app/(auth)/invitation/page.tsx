import type { Metadata } from "next";
import { InvitationPage } from "@/features/joining/InvitationPage";

export const metadata: Metadata = { title: "Invitation" };

export default function Page() {
  return <InvitationPage />;
}
