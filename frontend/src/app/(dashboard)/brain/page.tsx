import type { Metadata } from "next";
import { BrainPage } from "@/features/brain/BrainPage";

export const metadata: Metadata = { title: "Control brain" };

export default function Page() {
  return <BrainPage />;
}
