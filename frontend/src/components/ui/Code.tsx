import { CopyButton } from "@/components/ui/CopyId";
import { cx } from "@/lib/cx";

/** Text as it is, with a way to copy it; JSON is laid out. */
export function Code({ value, className }: { value: unknown; className?: string }) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return (
    <div className="group relative min-w-0">
      <pre tabIndex={0} className={cx("max-h-96 overflow-auto rounded-md border border-line bg-raised p-2.5 font-mono text-xs leading-5 break-words whitespace-pre-wrap", className)}>{text ?? "null"}</pre>
      <CopyButton text={text ?? ""} className="absolute top-1.5 right-1.5 bg-raised" />
    </div>
  );
}
