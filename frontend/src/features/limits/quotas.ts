/** The quotas of requests as every answer tells them: `RateLimit-Policy: "organisation";q=6000;w=60` and `RateLimit: …;r=…;t=…`. */

export interface Quota {
  name: string;
  limit: number;
  remaining: number;
  windowSeconds: number;
}

const ENTRY = /"([^"]+)"((?:;[a-z]+=\d+)*)/g;

export function quotasOf(headers: Headers): Quota[] {
  const left = entries(headers.get("RateLimit"));
  return [...entries(headers.get("RateLimit-Policy"))].map(([name, policy]) => ({ name, limit: policy.q ?? 0, remaining: left.get(name)?.r ?? 0, windowSeconds: policy.w ?? 60 }));
}

function entries(header: string | null): Map<string, Record<string, number>> {
  return new Map([...(header ?? "").matchAll(ENTRY)].map(([, name = "", given = ""]) => [name, Object.fromEntries([...given.matchAll(/;([a-z]+)=(\d+)/g)].map(([, key = "", value]) => [key, Number(value)]))]));
}
