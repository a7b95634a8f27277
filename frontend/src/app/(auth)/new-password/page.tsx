import type { Metadata } from "next";
import { NewPasswordPage } from "@/features/joining/NewPasswordPage";

export const metadata: Metadata = { title: "New password" };

export default function Page() {
  return <NewPasswordPage />;
}
