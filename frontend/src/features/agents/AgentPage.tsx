"use client";
import { usePathname } from "next/navigation";
import { StateBadge } from "@/components/ui/Badge";
import { CopyId } from "@/components/ui/CopyId";
import { PageHeader } from "@/components/ui/Panel";
import { View } from "@/components/ui/states";
import { Tabs, useTab, type Tab } from "@/components/ui/Tabs";
import { AgentActions } from "@/features/agents/AgentActions";
import { ConfigurationTab } from "@/features/agents/ConfigurationTab";
import { EventsTab } from "@/features/agents/EventsTab";
import { LogsTab } from "@/features/agents/LogsTab";
import { MasksTab } from "@/features/agents/MasksTab";
import { MetricsTab } from "@/features/agents/MetricsTab";
import { OverviewTab } from "@/features/agents/OverviewTab";
import { useAgent, type Tagged } from "@/features/agents/queries";
import { VersionsTab } from "@/features/agents/VersionsTab";
import { ExecutionList } from "@/features/executions/ExecutionList";
import { lastSegment } from "@/lib/paths";

const TABS: Tab[] = [
  { id: "overview", title: "Overview" },
  { id: "executions", title: "Executions" },
  { id: "logs", title: "Logs" },
  { id: "events", title: "Events" },
  { id: "metrics", title: "Metrics" },
  { id: "masks", title: "Masks" },
  { id: "versions", title: "Versions" },
  { id: "configuration", title: "Configuration" },
];

export function AgentPage() {
  const agentId = lastSegment(usePathname());
  const agent = useAgent(agentId);
  const tab = useTab(TABS);
  return (
    <View query={agent} rows={8}>
      {(tagged) => (
        <>
          <PageHeader
            title={
              <>
                {tagged.value.name}
                <StateBadge state={tagged.value.status.state} title={tagged.value.status.reason} />
              </>
            }
            subtitle={
              <span className="flex flex-wrap items-center gap-x-3">
                {tagged.value.description && <span>{tagged.value.description}</span>}
                <CopyId id={agentId} label="agent id" />
              </span>
            }
            actions={<AgentActions agent={tagged.value} />}
          />
          <Tabs tabs={TABS} current={tab} />
          <Shown tab={tab} tagged={tagged} />
        </>
      )}
    </View>
  );
}

function Shown({ tab, tagged }: { tab: string; tagged: Tagged }) {
  const agent = tagged.value;
  if (tab === "executions") return <ExecutionList agentId={agent.id} />;
  if (tab === "logs") return <LogsTab agentId={agent.id} />;
  if (tab === "events") return <EventsTab agentId={agent.id} />;
  if (tab === "metrics") return <MetricsTab agent={agent} />;
  if (tab === "masks") return <MasksTab agent={agent} />;
  if (tab === "versions") return <VersionsTab agent={agent} />;
  if (tab === "configuration") return <ConfigurationTab tagged={tagged} />;
  return <OverviewTab agent={agent} />;
}
