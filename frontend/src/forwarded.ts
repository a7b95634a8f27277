/**
 * Tells the API whose call it is: the address that a request came from goes to the end of its `X-Forwarded-For`,
 * behind whatever the caller wrote there. The API believes the last address that is no proxy it trusts, so an
 * invented one counts for nothing.
 */
import { subscribe } from "node:diagnostics_channel";
import type { IncomingMessage } from "node:http";

const HEADER = "x-forwarded-for";
/** IPv4 as a socket for both kinds shows it. */
const MAPPED = /^::ffff:(?=[\d.]+$)/;

export function nameCallers(): void {
  subscribe("http.server.request.start", (message) => {
    const { headers, socket } = (message as { request: IncomingMessage }).request;
    const address = socket.remoteAddress?.replace(MAPPED, "");
    if (address) headers[HEADER] = [headers[HEADER], address].filter(Boolean).join(", ");
  });
}
