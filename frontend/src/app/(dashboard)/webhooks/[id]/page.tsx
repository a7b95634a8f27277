import type { Metadata } from "next";
import { WebhookPage } from "@/features/webhooks/WebhookPage";

export const metadata: Metadata = { title: "Webhook" };

/** One page is built, for the id `_`; it answers every id. */
export function generateStaticParams() {
  return [{ id: "_" }];
}

export default function Page() {
  return <WebhookPage />;
}
