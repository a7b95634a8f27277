/** What the server of the standalone build does before its first request. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME === "nodejs") (await import("@/forwarded")).nameCallers();
}
