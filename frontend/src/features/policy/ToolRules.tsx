"use client";
import { ArrowDown, ArrowUp, Plus, X } from "lucide-react";
import type { Dispatch, SetStateAction } from "react";
import { Button, IconButton } from "@/components/ui/Button";
import { Field } from "@/components/ui/Field";
import { Panel } from "@/components/ui/Panel";
import { ACTION_MEANINGS, ACTIONS, newRule, type Action, type Draft, type DraftRule } from "@/features/policy/draft";
import { saidOf } from "@/lib/field-problems";

interface Props {
  draft: Draft;
  onChange: Dispatch<SetStateAction<Draft>>;
  error: unknown;
}

/** Rules about calls of tools, in their order: the first whose conditions all hold decides. */
export function ToolRules({ draft, onChange, error }: Props) {
  const rules = draft.rules;
  const setRules = (change: (rules: DraftRule[]) => DraftRule[]) => onChange((known) => ({ ...known, rules: change(known.rules) }));
  const move = (index: number, by: 1 | -1) =>
    setRules((known) => {
      const next = [...known];
      const [moved] = next.splice(index, 1);
      next.splice(index + by, 0, moved!);
      return next;
    });
  return (
    <Panel title="Tools" aside={<Button onClick={() => setRules((known) => [...known, newRule()])}><Plus aria-hidden /> Rule</Button>}>
      {rules.length > 0 ? (
        <ol className="divide-y divide-line">
          {rules.map((rule, index) => (
            <Rule
              key={rule.key}
              rule={rule}
              place={index + 1}
              error={saidOf(error, `tools/${index}`)}
              onChange={(next) => setRules((known) => known.map((each) => (each.key === rule.key ? next : each)))}
              onRemove={() => setRules((known) => known.filter((each) => each.key !== rule.key))}
              onUp={index > 0 ? () => move(index, -1) : undefined}
              onDown={index < rules.length - 1 ? () => move(index, 1) : undefined}
            />
          ))}
        </ol>
      ) : (
        <p className="px-3 py-3 text-muted">No rules: every call of a tool goes by the two lines below. With a rule, calls of some tools wait for a person or are refused.</p>
      )}
      <div className="grid gap-3 border-t border-line p-3 sm:grid-cols-3">
        <Field label="Tools no rule names"><ActionChoice value={draft.toolsDefault} onChange={(toolsDefault) => onChange((known) => ({ ...known, toolsDefault }))} /></Field>
        <Field label="Irreversible ones"><ActionChoice value={draft.irreversible} onChange={(irreversible) => onChange((known) => ({ ...known, irreversible }))} /></Field>
        <Field label="A held call waits" hint="Hours; then it is refused." error={saidOf(error, "approval_seconds")}>
          <input className="field" type="number" min="0.001" max="720" step="any" required value={draft.approvalHours} onChange={(event) => onChange((known) => ({ ...known, approvalHours: event.target.value }))} />
        </Field>
      </div>
    </Panel>
  );
}

interface RuleProps {
  rule: DraftRule;
  place: number;
  error: string | null;
  onChange: (rule: DraftRule) => void;
  onRemove: () => void;
  onUp?: () => void;
  onDown?: () => void;
}

function Rule({ rule, place, error, onChange, onRemove, onUp, onDown }: RuleProps) {
  const setCondition = (at: number, change: Partial<{ path: string; matches: string }>) => onChange({ ...rule, arguments: rule.arguments.map((each, index) => (index === at ? { ...each, ...change } : each)) });
  return (
    <li className="grid gap-2 px-3 py-2.5" data-rule={place}>
      <div className="flex flex-wrap items-center gap-2">
        <span className="tabular w-4 text-xs text-muted">{place}</span>
        <input aria-label={`Tool of rule ${place}`} className="field h-7.5 w-56 max-w-full font-mono text-xs" required maxLength={200} placeholder="server/tool, as bank/*" value={rule.tool} onChange={(event) => onChange({ ...rule, tool: event.target.value })} />
        <span className="w-44"><ActionChoice label={`What rule ${place} does`} value={rule.action} onChange={(action) => onChange({ ...rule, action })} /></span>
        <span className="ml-auto flex">
          <IconButton label={`Rule ${place} up`} disabled={!onUp} className="disabled:invisible" onClick={onUp}><ArrowUp /></IconButton>
          <IconButton label={`Rule ${place} down`} disabled={!onDown} className="disabled:invisible" onClick={onDown}><ArrowDown /></IconButton>
          <IconButton label={`Take rule ${place} away`} onClick={onRemove}><X /></IconButton>
        </span>
      </div>
      {rule.arguments.map((condition, at) => (
        <div key={at} className="flex flex-wrap items-center gap-2 pl-6 text-muted">
          {at === 0 ? "where" : "and"}
          <input aria-label={`Argument ${at + 1} of rule ${place}`} className="field h-7.5 w-32 font-mono text-xs" placeholder="/amount" pattern="(/.*)?" title="A JSON pointer into the arguments, as /amount." value={condition.path} onChange={(event) => setCondition(at, { path: event.target.value })} />
          is
          <input aria-label={`Pattern ${at + 1} of rule ${place}`} className="field h-7.5 w-44 max-w-full font-mono text-xs" placeholder="[0-9]{1,3}" title="An expression of RE2 for the whole value." required value={condition.matches} onChange={(event) => setCondition(at, { matches: event.target.value })} />
          <IconButton label={`Take condition ${at + 1} of rule ${place} away`} onClick={() => onChange({ ...rule, arguments: rule.arguments.filter((_, index) => index !== at) })}><X /></IconButton>
        </div>
      ))}
      <div className="pl-6"><Button kind="quiet" className="-ml-2.5" onClick={() => onChange({ ...rule, arguments: [...rule.arguments, { path: "", matches: "" }] })}><Plus aria-hidden /> Condition on an argument</Button></div>
      {error && <p role="alert" className="pl-6 text-xs text-bad">{error}</p>}
    </li>
  );
}

function ActionChoice({ value, onChange, label, ...rest }: { value: Action; onChange: (action: Action) => void; label?: string; id?: string; "aria-describedby"?: string }) {
  return (
    <select aria-label={label} className="field h-7.5" value={value} onChange={(event) => onChange(event.target.value as Action)} {...rest}>
      {ACTIONS.map((each) => <option key={each} value={each}>{ACTION_MEANINGS[each]}</option>)}
    </select>
  );
}
