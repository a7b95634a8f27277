import type { Metadata } from "next";
import { TravelPage } from "@/features/timetravel/TravelPage";

export const metadata: Metadata = { title: "Time travel" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <TravelPage />;
}
