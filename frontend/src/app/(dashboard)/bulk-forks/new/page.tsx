import type { Metadata } from "next";
import { NewBulkForkPage } from "@/features/bulkforks/NewBulkForkPage";

export const metadata: Metadata = { title: "Try a change on many" };

export default function Page() {
  return <NewBulkForkPage />;
}
