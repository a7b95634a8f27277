import { Dialog } from "@/components/ui/Dialog";
import { destinations } from "@/lib/navigation";

const GENERAL: [string, string][] = [
  ["⌘ K", "Search pages, agents, actions"],
  ["/", "Filter this page"],
  ["c", "New agent"],
  ["j  k", "Next and previous row"],
  ["Enter", "Open the row"],
  ["[  ]", "Previous and next step of a timeline"],
  ["Esc", "Close"],
  ["?", "This list"],
];

export function KeyboardHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard" wide>
      <div className="grid gap-6 sm:grid-cols-2">
        <Keys title="Everywhere" keys={GENERAL} />
        <Keys title="Go to" keys={destinations.map((each) => [`g  ${each.key}`, each.title])} />
      </div>
    </Dialog>
  );
}

function Keys({ title, keys }: { title: string; keys: [string, string][] }) {
  return (
    <section>
      <h3 className="mb-2 text-xs font-medium text-muted">{title}</h3>
      <dl className="grid gap-1">
        {keys.map(([key, meaning]) => (
          <div key={key} className="flex items-center justify-between gap-4">
            <dt>{meaning}</dt>
            <dd><kbd className="rounded border border-line bg-raised px-1.5 py-0.5 font-mono text-2xs whitespace-pre">{key}</kbd></dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
