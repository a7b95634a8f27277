/** The navigation as data: six sections. */
import {
  Activity, Bot, Boxes, Brain, Building2, Clock4, Database, Gauge, GitFork, History, KeyRound, LayoutGrid, MonitorSmartphone, Scale,
  ScrollText, ShieldCheck, Users, Wallet, Webhook, Wrench, type LucideIcon,
} from "lucide-react";
import { paths } from "@/lib/paths";

export interface Destination {
  title: string;
  path: string;
  icon: LucideIcon;
  /** Pressed after `g`. */
  key: string;
  permission?: string;
}

export interface Section {
  title: string;
  destinations: Destination[];
}

export const sections: Section[] = [
  {
    title: "Operate",
    destinations: [
      { title: "Overview", path: paths.overview, icon: LayoutGrid, key: "o" },
      { title: "Agents", path: paths.agents, icon: Boxes, key: "a", permission: "agents:read" },
      { title: "Executions", path: paths.executions, icon: Activity, key: "e", permission: "executions:read" },
    ],
  },
  {
    title: "Debug",
    destinations: [
      { title: "Time travel", path: paths.timeTravel, icon: History, key: "t", permission: "executions:read" },
      { title: "Bulk forks", path: paths.bulkForks, icon: GitFork, key: "f", permission: "executions:read" },
      { title: "Approvals", path: paths.approvals, icon: ShieldCheck, key: "p", permission: "approvals:read" },
    ],
  },
  {
    title: "Knowledge",
    destinations: [{ title: "Memory", path: paths.memory, icon: Database, key: "m", permission: "memory:read" }],
  },
  {
    title: "Platform",
    destinations: [
      { title: "Control brain", path: paths.brain, icon: Brain, key: "b", permission: "brain:read" },
      { title: "Services", path: paths.services, icon: Clock4, key: "s", permission: "services:read" },
      { title: "Tools", path: paths.tools, icon: Wrench, key: "x", permission: "tools:read" },
      { title: "Webhooks", path: paths.webhooks, icon: Webhook, key: "w", permission: "webhooks:read" },
    ],
  },
  {
    title: "Organisation",
    destinations: [
      { title: "Organisation", path: paths.organisation, icon: Building2, key: "r", permission: "organisations:read" },
      { title: "Members", path: paths.members, icon: Users, key: "u", permission: "members:read" },
      { title: "Spending", path: paths.spending, icon: Wallet, key: "d", permission: "budgets:read" },
      { title: "Limits", path: paths.limits, icon: Gauge, key: "q" },
      { title: "Policy", path: paths.policy, icon: Scale, key: "y", permission: "policies:read" },
    ],
  },
  {
    title: "Security",
    destinations: [
      { title: "API keys", path: paths.apiKeys, icon: KeyRound, key: "k", permission: "api_keys:read" },
      { title: "Service accounts", path: paths.serviceAccounts, icon: Bot, key: "n", permission: "service_accounts:read" },
      { title: "Sessions", path: paths.sessions, icon: MonitorSmartphone, key: "i" },
      { title: "Audit log", path: paths.audit, icon: ScrollText, key: "l", permission: "audit:read" },
    ],
  },
];

export const destinations = sections.flatMap((section) => section.destinations);

/** Whether an address belongs to a destination. */
export function isWithin(pathname: string, destination: Destination): boolean {
  return destination.path === "/" ? pathname === "/" : pathname === destination.path || pathname.startsWith(`${destination.path}/`);
}
