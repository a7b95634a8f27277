import type { NextConfig } from "next";

// One source, two builds: `export` is served by the API in local mode, `standalone` runs in compose and Helm.
const standalone = process.env.AGENTPLANE_WEB_MODE === "standalone";

const config: NextConfig = {
  output: standalone ? "standalone" : "export",
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  // `npm run check` is the check of types; a build on a user's machine need not repeat it.
  typescript: { ignoreBuildErrors: true },
  // Addresses of this server as it was asked to listen: normalised, 127.0.0.1 becomes localhost, and a rewrite to
  // another page of ours would be asked over the network, of ourselves, again and again.
  skipProxyUrlNormalize: true,
  turbopack: { root: import.meta.dirname },
  devIndicators: false,
};

export default config;
