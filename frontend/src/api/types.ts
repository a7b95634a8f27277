/** The API's shapes by name. The server always sends what has a default, so an answer has every field. */
import type { components } from "@/api/schema";

type Schemas = components["schemas"];
type Answer<Name extends keyof Schemas> = Required<Schemas[Name]>;

export type Agent = Omit<Answer<"Agent">, "spec" | "status"> & { spec: AgentSpec; status: Answer<"AgentStatus"> };
export type AgentSpec = Answer<"AgentSpec">;
export type AgentState = Schemas["AgentState"];
export type AgentVersion = Omit<Answer<"AgentVersion">, "spec"> & { spec: AgentSpec };
export type DeployAgent = Schemas["DeployAgent"];
export type PatchAgent = Schemas["PatchAgent"];
export type Instance = Omit<Answer<"Instance">, "last_exit"> & { last_exit: Required<Schemas["InstanceExit"]> | null };
export type LogLine = Answer<"AgentLogLine">;
export type FeedEntry = Answer<"FeedEntry">;
export type MetricPoint = Answer<"MetricPoint">;
export type Execution = Answer<"Execution">;
export type ExecutionStatus = Schemas["ExecutionStatus"];
export type Step = Answer<"Step">;
export type Message = Schemas["Message"];
export type ToolCall = Schemas["ToolCall"];
export type StepDetail = Answer<"StepDetail">;
export type StepKind = Schemas["StepKind"];
export type BrainState = Answer<"BrainState">;
export type Node = Answer<"Node">;
export type ServiceRow = Answer<"ServiceRow">;
export type Memory = Answer<"Memory">;
export type MemoryType = Schemas["MemoryType"];
export type MemoryScope = Schemas["MemoryScope"];
export type WriteMemory = Schemas["WriteMemory"];
export type FoundMemory = Omit<Answer<"FoundMemory">, "memory" | "explained"> & { memory: Memory; explained: Answer<"Explained"> };
export type SearchResult = Omit<Answer<"SearchResult">, "items"> & { items: FoundMemory[] };
export type MemoryStatus = Answer<"MemoryStatus">;
export type ApiKey = Answer<"ApiKey">;
export type CreatedApiKey = Answer<"CreatedApiKey">;
export type Me = Answer<"Me">;
export type Organisation = Answer<"Organisation">;
export type Member = Answer<"Member">;
export type AuditRecord = Answer<"AuditRecord">;
export type Channel = Schemas["WebSocketTicket"]["channels"][number];

/** A page of a list; `next_cursor` leads to the following one. */
export interface Page<Item> {
  items: Item[];
  next_cursor?: string | null;
}

export type Invitation = Answer<"Invitation">;
export type CreatedInvitation = Answer<"CreatedInvitation">;
export type OwnSession = Answer<"OwnSession">;

export type Fork = Schemas["Fork"];
export type Edit = Schemas["Edit"];
export interface Branch {
  execution: Execution;
  children: Branch[];
}
export type Aligned = Omit<Answer<"Aligned">, "left" | "right"> & { left: Step | null; right: Step | null };
export type Comparison = Omit<Answer<"Comparison">, "aligned"> & { aligned: Aligned[] };
export type Approval = Answer<"Approval">;
export type ApprovalState = Schemas["ApprovalState"];

export type ServiceAccount = Answer<"ServiceAccount">;
export type PasswordReset = Answer<"PasswordReset">;
export type InvitationView = Answer<"InvitationView">;
export type AcceptInvitation = Schemas["AcceptInvitation"];
export type AcceptedInvitation = Answer<"AcceptedInvitation">;
export type AuditVerification = Omit<Answer<"AuditVerification">, "broken"> & { broken: Answer<"BrokenLink"> | null };
export type Budget = Answer<"Budget">;
export type SetBudget = Schemas["SetBudget"];
export type Policy = Omit<Answer<"Policy">, "tools"> & { tools: ToolRule[] };
export type ToolRule = Omit<Answer<"ToolRule">, "arguments"> & { arguments: Answer<"ArgumentRule">[] };
export type OrganisationPolicy = Omit<Answer<"OrganisationPolicy">, "policy"> & { policy: Policy };
export type Price = Answer<"Price">;
export type SetPrice = Schemas["SetPrice"];
export type Stop = Answer<"Stop">;
export type UsageRow = Answer<"UsageRow">;
export type Usage = Omit<Answer<"Usage">, "rows" | "total"> & { rows: UsageRow[]; total: UsageRow };
export type McpServer = Answer<"McpServer">;
export type McpTool = Answer<"McpTool">;
export type NewMcpServer = Schemas["NewMcpServer"];
export type ChangeMcpServer = Schemas["ChangeMcpServer"];
export type Effect = Schemas["Effect"];
export type Webhook = Answer<"Webhook">;
export type WebhookWithSecret = Answer<"WebhookWithSecret">;
export type CreateWebhook = Schemas["CreateWebhook"];
export type PatchWebhook = Schemas["PatchWebhook"];
export type Delivery = Answer<"Delivery">;
export type DeliveryState = Schemas["DeliveryState"];
export type DeliveryDetail = Omit<Answer<"DeliveryDetail">, "tries"> & { tries: Answer<"Attempt">[] };
export type Mask = Answer<"Mask">;
export type NewBulkFork = Schemas["NewBulkFork"];
export type BulkEstimate = Omit<Answer<"Estimate">, "tool_calls"> & { tool_calls: Answer<"ToolCalls"> };
export type BulkFork = Omit<Answer<"BulkFork">, "estimate"> & { estimate: BulkEstimate };
export type BulkForkItem = Answer<"BulkForkItem">;
export type BulkVerdict = NonNullable<BulkForkItem["verdict"]>;
export type Fidelity = Schemas["Fidelity"];
export type NewMask = Schemas["NewMask"];
