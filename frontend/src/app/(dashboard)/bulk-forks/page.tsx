import type { Metadata } from "next";
import { BulkForksPage } from "@/features/bulkforks/BulkForksPage";

export const metadata: Metadata = { title: "Bulk forks" };

export default function Page() {
  return <BulkForksPage />;
}
