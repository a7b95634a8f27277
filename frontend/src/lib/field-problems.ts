/** What the API says of one field of a form, so that it can stand beside that field. */
import { ApiProblem, sentence } from "@/lib/problem";

/** Pointers are as `/body/tools/0/action`; some codes speak of one field without a pointer. */
export function saidOf(error: unknown, field: string, ...codes: string[]): string | null {
  if (!(error instanceof ApiProblem)) return null;
  const found = error.fields.find(({ pointer }) => pointer === `/body/${field}` || pointer.startsWith(`/body/${field}/`));
  if (found) return sentence(found.detail);
  return codes.includes(error.code) ? sentence(error.message) : null;
}
