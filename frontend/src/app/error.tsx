"use client";
import { Button } from "@/components/ui/Button";
import { Empty } from "@/components/ui/states";

export default function Failed({ error, reset }: { error: Error & { digest?: string }; reset: () => void }) {
  return (
    <main className="grid min-h-dvh place-items-center">
      <Empty title="This page failed" action={<Button kind="primary" onClick={reset}>Try again</Button>}>
        {error.message || "An unexpected error."} What you see elsewhere is not affected.
      </Empty>
    </main>
  );
}
