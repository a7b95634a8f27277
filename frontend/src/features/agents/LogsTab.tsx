"use client";
/** The tail of an agent's logs: follows until the reader scrolls up, and draws only the lines in view. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, Download, WrapText } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { LogLine } from "@/api/types";
import { Button, IconButton } from "@/components/ui/Button";
import { Choice, SearchField } from "@/components/ui/Filters";
import { Panel } from "@/components/ui/Panel";
import { Empty, Problem, Skeleton } from "@/components/ui/states";
import { useLogs } from "@/features/agents/useLogs";
import { cx } from "@/lib/cx";
import { clock, exact, plural } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

const LINE_PX = 20;
const NEAR_END_PX = 40;

export function LogsTab({ agentId }: { agentId: string }) {
  const { lines, error, pending, older, retry } = useLogs(agentId);
  const [search, setSearch] = useUrlState("q");
  const [stream, setStream] = useUrlState("stream");
  const [wrap, setWrap] = useState(true);
  const wanted = search.toLowerCase();
  const shown = lines.filter((line) => (!stream || line.stream === stream) && (!wanted || line.line.toLowerCase().includes(wanted)));
  return (
    <Panel
      title={
        <div className="flex flex-wrap items-center gap-2 font-normal">
          <SearchField value={search} onChange={setSearch} label="Search in these lines" />
          <Choice value={stream} onChange={setStream} label="Stream" all="All streams" options={["stdout", "stderr", "system"]} />
        </div>
      }
      aside={
        <div className="flex items-center gap-1">
          <span className="mr-1 text-xs text-muted">{plural(shown.length, "line")}</span>
          <IconButton label={wrap ? "Do not wrap lines" : "Wrap lines"} aria-pressed={wrap} onClick={() => setWrap(!wrap)}><WrapText /></IconButton>
          <IconButton label="Download these lines" onClick={() => download(shown)}><Download /></IconButton>
        </div>
      }
    >
      {Boolean(error) && <div className="p-3"><Problem error={error} retry={retry} /></div>}
      {pending ? (
        <Skeleton />
      ) : shown.length > 0 ? (
        <Lines lines={shown} wrap={wrap} older={older} />
      ) : (
        <Empty title={lines.length > 0 ? "No line fits" : "Nothing was written yet"}>{lines.length === 0 && "What the agent writes to stdout and stderr appears here as it is written."}</Empty>
      )}
    </Panel>
  );
}

function Lines({ lines, wrap, older }: { lines: LogLine[]; wrap: boolean; older: { has: boolean; busy: boolean; load: () => void } }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const [seen, setSeen] = useState(lines.length);
  const virtualizer = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    getItemKey: (index) => `${lines[index]?.run_id}:${lines[index]?.offset}`,
    overscan: 20,
  });
  useEffect(() => {
    if (!following || lines.length === 0) return;
    virtualizer.scrollToIndex(lines.length - 1, { align: "end" });
    setSeen(lines.length);
  }, [following, lines.length, virtualizer]);
  const fresh = following ? 0 : lines.length - seen;
  return (
    <div className="relative">
      <div
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-label="Log lines"
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          const atEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
          if (!atEnd && following) setSeen(lines.length);
          setFollowing(atEnd);
        }}
        className="h-[calc(100dvh-20rem)] min-h-72 overflow-auto bg-ground py-1 font-mono text-xs leading-5"
      >
        {older.has && <div className="px-3 py-1"><Button kind="quiet" busy={older.busy} onClick={older.load}>Older lines</Button></div>}
        <div className="relative" style={{ height: virtualizer.getTotalSize() }}>
          {virtualizer.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (!line) return null;
            return (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtualizer.measureElement}
                className={cx("absolute inset-x-0 top-0 flex gap-3 px-3", line.stream === "stderr" && "text-bad", line.stream === "system" && "text-accent")}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <time dateTime={line.at} title={exact(line.at)} className="shrink-0 text-faint select-none">{clock(line.at)}</time>
                <span className={wrap ? "min-w-0 break-words whitespace-pre-wrap" : "whitespace-pre"}>{line.line || " "}</span>
              </div>
            );
          })}
        </div>
      </div>
      {!following && (
        <Button className="absolute bottom-3 left-1/2 -translate-x-1/2 shadow-lg" onClick={() => setFollowing(true)}>
          <ArrowDown aria-hidden /> {fresh > 0 ? plural(fresh, "new line") : "Follow"}
        </Button>
      )}
    </div>
  );
}

function download(lines: LogLine[]) {
  const text = lines.map((line) => `${line.at} ${line.stream} ${line.line}`).join("\n");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = "agent.log";
  link.click();
  URL.revokeObjectURL(link.href);
}
