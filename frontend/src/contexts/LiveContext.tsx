"use client";
/** Live updates for the pages: one connection, and the lists that it keeps fresh. */
import { useQueryClient } from "@tanstack/react-query";
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from "react";
import type { Channel, FeedEntry } from "@/api/types";
import { applyAgentFrame, applyExecutionFrame } from "@/lib/live-updates";
import { onSession } from "@/lib/session";
import { Live, type Frame, type LiveState } from "@/lib/live";

interface LiveValue {
  state: LiveState;
  live: Live;
}

const Context = createContext<LiveValue | null>(null);

export function LiveProvider({ children }: { children: ReactNode }) {
  const queries = useQueryClient();
  const [state, setState] = useState<LiveState>("connecting");
  const [live] = useState(() => new Live(setState));

  useEffect(() => {
    const reread = () => void queries.invalidateQueries();
    const nodesChanged = () => {
      void queries.invalidateQueries({ queryKey: ["nodes"] });
      void queries.invalidateQueries({ queryKey: ["brain"] });
    };
    const stops = [
      live.subscribe({ channel: "agents", onFrame: (frame) => applyAgentFrame(queries, frame.data as FeedEntry), onReset: reread }),
      live.subscribe({ channel: "executions", onFrame: (frame) => applyExecutionFrame(queries, frame.data as FeedEntry), onReset: reread }),
      live.subscribe({ channel: "nodes", onFrame: nodesChanged, onReset: nodesChanged }),
    ];
    const online = () => live.hurry();
    live.start();
    window.addEventListener("online", online);
    const stopListening = onSession((event) => (event === "login" ? live.hurry() : undefined));
    return () => {
      stopListening();
      window.removeEventListener("online", online);
      for (const stop of stops) stop();
      live.stop();
    };
  }, [live, queries]);

  return <Context.Provider value={{ state, live }}>{children}</Context.Provider>;
}

export function useLiveState(): LiveState {
  return useLive().state;
}

/** Hear the frames of a channel while a component is shown. */
export function useFrames(channel: Channel, agentId: string | undefined, onFrame: (frame: Frame) => void, onReset?: () => void): void {
  const { live } = useLive();
  const handlers = useRef({ onFrame, onReset });
  useEffect(() => {
    handlers.current = { onFrame, onReset };
  });
  useEffect(
    () =>
      live.subscribe({
        channel,
        ...(agentId ? { agentId } : {}),
        onFrame: (frame) => handlers.current.onFrame(frame),
        onReset: () => handlers.current.onReset?.(),
      }),
    [live, channel, agentId],
  );
}

function useLive(): LiveValue {
  const value = useContext(Context);
  if (!value) throw new Error("live updates outside of LiveProvider");
  return value;
}
