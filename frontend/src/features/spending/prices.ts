/** Prices are kept in nano-dollars for a token, and read in dollars for a million. */

const PER_MILLION = 1000;

export function dollarsOf(nanoForToken: number): number {
  return nanoForToken / PER_MILLION;
}

export function nanoOf(dollarsForMillion: string): number {
  return Math.round(Number(dollarsForMillion) * PER_MILLION);
}

export function perMillion(nanoForToken: number): string {
  return `$${dollarsOf(nanoForToken).toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 3 })}`;
}
