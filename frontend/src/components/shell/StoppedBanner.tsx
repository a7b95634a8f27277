"use client";
import { OctagonX } from "lucide-react";
import Link from "next/link";
import { useStop } from "@/components/shell/stop";
import { Time } from "@/components/ui/Time";
import { paths } from "@/lib/paths";

/** On every page while the organisation's agents are stopped: otherwise nothing would say why nothing runs. */
export function StoppedBanner() {
  const { data: stop } = useStop();
  if (!stop?.stopped) return null;
  return (
    <div role="status" data-stopped className="flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-bad/40 bg-bad-soft px-4 py-2 md:px-6">
      <OctagonX aria-hidden className="size-4 shrink-0 text-bad" />
      <p className="min-w-0 grow basis-56 break-words">
        <span className="font-medium">Every agent of this organisation is stopped</span> since <Time at={stop.at} />: {stop.reason}
      </p>
      <Link href={paths.spending} prefetch={false} className="font-medium underline underline-offset-2">Look at the stop</Link>
    </div>
  );
}
