import type { Metadata } from "next";
import { BulkForkPage } from "@/features/bulkforks/BulkForkPage";

export const metadata: Metadata = { title: "Bulk fork" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <BulkForkPage />;
}
