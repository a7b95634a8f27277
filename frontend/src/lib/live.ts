/**
 * The one WebSocket of a page: opened by a one-time ticket, resumed after the last sequence of each channel.
 * What comes is passed to listeners; when more was missed than the server keeps, `reset` tells them to read anew.
 */
import type { Channel, FeedEntry, LogLine } from "@/api/types";
import { body, client } from "@/lib/api";
import { api } from "@/lib/paths";
import { ApiProblem } from "@/lib/problem";

export type LiveState = "connecting" | "live" | "reconnecting";
export interface LogsAppended {
  agent_id: string;
  lines: LogLine[];
}
export type Frame =
  | { channel: "agents" | "executions" | "nodes"; seq: number; type: string; data: FeedEntry }
  | { channel: "logs"; seq: number; type: "logs.appended"; data: LogsAppended };
export interface Subscription {
  channel: Channel;
  agentId?: string;
  onFrame: (frame: Frame) => void;
  /** What was missed is not known any more. */
  onReset: () => void;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const PING_MS = 25_000;

export class Live {
  private socket: WebSocket | null = null;
  private subscriptions = new Set<Subscription>();
  private newest = new Map<string, number>();
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private ping: ReturnType<typeof setInterval> | undefined;
  private stopped = false;
  private granted: Channel[] = [];

  constructor(private readonly onState: (state: LiveState) => void) {}

  start(): void {
    this.stopped = false;
    void this.open();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearInterval(this.ping);
    this.socket?.close();
    this.socket = null;
  }

  /** Try at once, as when the browser says that it is online again. */
  hurry(): void {
    if (this.stopped || this.socket) return;
    clearTimeout(this.timer);
    void this.open();
  }

  subscribe(subscription: Subscription): () => void {
    const first = !this.has(subscription);
    this.subscriptions.add(subscription);
    if (first) this.ask("subscribe", subscription);
    return () => {
      this.subscriptions.delete(subscription);
      if (this.has(subscription)) return;
      this.newest.delete(key(subscription));
      this.ask("unsubscribe", subscription);
    };
  }

  private has(wanted: Subscription): boolean {
    return [...this.subscriptions].some((each) => key(each) === key(wanted));
  }

  private async open(): Promise<void> {
    try {
      const ticket = await body<{ ticket: string; channels: Channel[] }>(client.POST("/api/v1/ws-ticket", { body: {} }));
      if (this.stopped) return;
      this.granted = ticket.channels;
      const scheme = location.protocol === "https:" ? "wss:" : "ws:";
      const socket = new WebSocket(`${scheme}//${location.host}${api.live}?ticket=${encodeURIComponent(ticket.ticket)}`);
      this.socket = socket;
      socket.onopen = () => this.opened();
      socket.onmessage = (message: MessageEvent<string>) => this.heard(message.data);
      socket.onclose = () => this.closed(socket);
    } catch (error) {
      // Who may read nothing has nothing to wait for.
      if (error instanceof ApiProblem && (error.status === 401 || error.status === 403)) return;
      this.retry();
    }
  }

  private opened(): void {
    this.failures = 0;
    this.onState("live");
    clearInterval(this.ping);
    this.ping = setInterval(() => this.send({ op: "ping" }), PING_MS);
    const asked = new Set<string>();
    for (const subscription of this.subscriptions) {
      if (asked.has(key(subscription))) continue;
      asked.add(key(subscription));
      this.ask("subscribe", subscription);
    }
  }

  private closed(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.socket = null;
    clearInterval(this.ping);
    if (!this.stopped) this.retry();
  }

  private retry(): void {
    if (this.stopped) return;
    this.onState("reconnecting");
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.failures++);
    this.timer = setTimeout(() => void this.open(), pause * (0.7 + Math.random() * 0.6));
  }

  private ask(op: "subscribe" | "unsubscribe", subscription: Subscription): void {
    if (!this.granted.includes(subscription.channel)) return;
    const after = this.newest.get(key(subscription));
    const resume = op === "subscribe" && subscription.channel !== "logs" && after !== undefined;
    this.send({
      op,
      channel: subscription.channel,
      ...(subscription.agentId ? { agent_id: subscription.agentId } : {}),
      ...(resume ? { after_seq: after } : {}),
    });
  }

  private send(operation: Record<string, unknown>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(operation));
  }

  private heard(text: string): void {
    const frame = JSON.parse(text) as { channel: Channel | null; seq: number; type: string; data: unknown };
    if (frame.channel === null) return;
    for (const subscription of [...this.subscriptions]) {
      if (subscription.channel !== frame.channel) continue;
      if (frame.type === "subscribed" || frame.type === "reset") {
        // The gateway names the newest sequence there is: from there on everything is pushed.
        if (frame.seq > (this.newest.get(key(subscription)) ?? 0)) this.newest.set(key(subscription), frame.seq);
        if (frame.type === "reset" || frame.channel === "logs") subscription.onReset();
      } else if (frame.data && isAbout(subscription, frame as Frame)) {
        this.newest.set(key(subscription), Math.max(frame.seq, this.newest.get(key(subscription)) ?? 0));
        subscription.onFrame(frame as Frame);
      }
    }
  }
}

function isAbout(subscription: Subscription, frame: Frame): boolean {
  return !subscription.agentId || frame.data.agent_id === subscription.agentId;
}

function key(subscription: Subscription): string {
  return `${subscription.channel}/${subscription.agentId ?? ""}`;
}
