"use client";
import { PageHeader } from "@/components/ui/Panel";
import { Tabs, useTab, type Tab } from "@/components/ui/Tabs";
import { useAuth } from "@/contexts/AuthContext";
import { BudgetsTab } from "@/features/spending/BudgetsTab";
import { PricesTab } from "@/features/spending/PricesTab";
import { StopPanel } from "@/features/spending/StopPanel";
import { UsageTab } from "@/features/spending/UsageTab";

const TABS: (Tab & { permission: string })[] = [
  { id: "budgets", title: "Budgets", permission: "budgets:read" },
  { id: "usage", title: "Use", permission: "budgets:read" },
  { id: "prices", title: "Prices", permission: "prices:read" },
];

export function SpendingPage() {
  const { may } = useAuth();
  const tabs = TABS.filter((each) => may(each.permission));
  const tab = useTab(tabs);
  return (
    <>
      <PageHeader title="Spending" subtitle="What agents may spend, what they spent, and what models cost." />
      <StopPanel />
      <Tabs tabs={tabs} current={tab} />
      {tab === "usage" ? <UsageTab /> : tab === "prices" ? <PricesTab /> : <BudgetsTab />}
    </>
  );
}
