import type { Metadata } from "next";
import { TimeTravelPage } from "@/features/timetravel/TimeTravelPage";

export const metadata: Metadata = { title: "Time travel" };

export default function Page() {
  return <TimeTravelPage />;
}
