"use client";
import type { Agent } from "@/api/types";
import { LineChart } from "@/components/ui/LineChart";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useMetrics } from "@/features/agents/queries";
import { bytes } from "@/lib/format";
import { useUrlState } from "@/lib/url-state";

const SPANS: [seconds: string, title: string][] = [["900", "15 minutes"], ["3600", "1 hour"], ["21600", "6 hours"], ["86400", "1 day"], ["604800", "7 days"]];

const MIB = 2 ** 20;

/** Of one core; with the digits that tell two labels of a small scale apart. */
function percent(value: number, top = value): string {
  return `${value.toFixed(top < 1 ? 2 : top < 10 ? 1 : 0)} %`;
}

export function MetricsTab({ agent }: { agent: Agent }) {
  const [since, setSince] = useUrlState("since", "3600");
  const metrics = useMetrics(agent.id, SPANS.some(([seconds]) => seconds === since) ? Number(since) : 3600);
  return (
    <Panel
      title="Resources"
      aside={
        <select aria-label="Time range" className="field h-7.5 w-auto" value={since} onChange={(event) => setSince(event.target.value)}>
          {SPANS.map(([seconds, title]) => <option key={seconds} value={seconds}>Last {title}</option>)}
        </select>
      }
      padded
    >
      <View query={metrics} rows={4}>
        {(points) =>
          points.length > 0 ? (
            <div className="grid gap-6 lg:grid-cols-2">
              <LineChart label="CPU, all instances" points={points.map(({ at, cpu_percent }) => ({ at, value: cpu_percent }))} format={percent} limit={{ value: agent.spec.cpu_limit * 100, label: "limit" }} />
              <LineChart label="Memory, all instances" points={points.map(({ at, memory_bytes }) => ({ at, value: memory_bytes }))} format={bytes} unit={MIB} limit={{ value: agent.spec.memory_limit_bytes, label: "limit" }} />
            </div>
          ) : (
            <Empty title="No samples in this time">The first one comes some seconds after an instance has started.</Empty>
          )
        }
      </View>
    </Panel>
  );
}
