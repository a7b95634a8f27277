/** MCP servers: registered, changed, asked for their tools, forgotten. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { ChangeMcpServer, McpServer, McpTool, NewMcpServer } from "@/api/types";
import { body, client } from "@/lib/api";

export const EFFECTS = ["read", "write", "irreversible"] as const;

export function useServers() {
  return useQuery({ queryKey: ["mcp-servers"], queryFn: () => body<McpServer[]>(client.GET("/api/v1/mcp-servers")) });
}

export function useServer(serverId: string) {
  return useQuery({
    queryKey: ["mcp-server", serverId],
    queryFn: () => body<McpServer>(client.GET("/api/v1/mcp-servers/{server_id}", { params: { path: { server_id: serverId } } })),
  });
}

/** Asks the server itself, so it tells whether it answers. */
export function useTools(serverId: string, enabled = true) {
  return useQuery({
    queryKey: ["mcp-server", serverId, "tools"],
    queryFn: () => body<McpTool[]>(client.GET("/api/v1/mcp-servers/{server_id}/tools", { params: { path: { server_id: serverId } } })),
    retry: false,
    enabled,
  });
}

export function useRegister() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ server, key }: { server: NewMcpServer; key: string }) =>
      body<McpServer>(client.POST("/api/v1/mcp-servers", { params: { header: { "idempotency-key": key } }, body: server })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["mcp-servers"] }),
  });
}

/** What is left out stays. An effect is shown at once, and taken back when it is refused. */
export function useChange(serverId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (change: Partial<ChangeMcpServer>) =>
      // The generated type has every field with a default as given; the API takes what is there.
      body<McpServer>(client.PATCH("/api/v1/mcp-servers/{server_id}", { params: { path: { server_id: serverId } }, body: change as ChangeMcpServer })),
    onMutate: (change) => {
      const before = queries.getQueryData<McpServer>(["mcp-server", serverId]);
      if (before && change.effects) queries.setQueryData(["mcp-server", serverId], { ...before, effects: change.effects });
      return before;
    },
    onError: (_error, _change, before) => before && queries.setQueryData(["mcp-server", serverId], before),
    onSuccess: (changed) => queries.setQueryData(["mcp-server", serverId], changed),
    onSettled: () => {
      void queries.invalidateQueries({ queryKey: ["mcp-servers"] });
      void queries.invalidateQueries({ queryKey: ["mcp-server", serverId, "tools"] });
    },
  });
}

export function useForget() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (serverId: string) => body(client.DELETE("/api/v1/mcp-servers/{server_id}", { params: { path: { server_id: serverId } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["mcp-servers"] }),
  });
}
