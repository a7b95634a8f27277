import type { ReactNode } from "react";
import { Button } from "@/components/ui/Button";
import { Code } from "@/components/ui/Code";

/** A secret that was just made: it is shown now, and never again. */
export function Once({ value, children, onDone }: { value: string; children: ReactNode; onDone: () => void }) {
  return (
    <div className="grid gap-3" data-once>
      <div className="text-muted">{children}</div>
      <Code value={value} />
      <div className="flex justify-end"><Button kind="primary" onClick={onDone}>Done</Button></div>
    </div>
  );
}
