/** What went in or came out: text as text, an object as its fields, and the JSON itself one click away. */
import { Code } from "@/components/ui/Code";
import { CopyButton } from "@/components/ui/CopyId";

const MOST_FIELDS = 12;

export function Value({ value }: { value: unknown }) {
  if (typeof value === "string") return <Text text={value} />;
  if (!hasFields(value)) return <Code value={value} />;
  return (
    <>
      <dl className="grid gap-2.5">
        {Object.entries(value).map(([name, part]) => (
          <div key={name} className="grid gap-0.5">
            <dt className="font-mono text-2xs text-muted">{name}</dt>
            <dd className="min-w-0">{typeof part === "string" ? <Text text={part} /> : typeof part === "object" && part !== null ? <Code value={part} className="max-h-48" /> : <span className="tabular">{String(part)}</span>}</dd>
          </div>
        ))}
      </dl>
      <details className="mt-3 text-xs text-muted">
        <summary>JSON</summary>
        <div className="mt-2"><Code value={value} /></div>
      </details>
    </>
  );
}

function Text({ text }: { text: string }) {
  return (
    <div className="flex items-start gap-2">
      <p tabIndex={text.length > 800 ? 0 : undefined} className="max-h-80 min-w-0 grow overflow-y-auto break-words whitespace-pre-wrap">{text === "" ? <span className="text-faint">empty</span> : text}</p>
      <CopyButton text={text} />
    </div>
  );
}

function hasFields(value: unknown): value is Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const fields = Object.keys(value).length;
  return fields > 0 && fields <= MOST_FIELDS;
}
