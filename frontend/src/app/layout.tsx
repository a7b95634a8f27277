import type { Metadata, Viewport } from "next";
import type { ReactNode } from "react";
import { Providers } from "@/app/providers";
import { applyBeforePaint } from "@/lib/theme";
import "./globals.css";

export const metadata: Metadata = {
  title: { default: "AgentPlane", template: "%s · AgentPlane" },
  description: "The control plane of your agents",
  icons: { icon: "/icon.svg" },
};
export const viewport: Viewport = { width: "device-width", initialScale: 1, colorScheme: "dark light" };

export default function RootLayout({ children }: { children: ReactNode }) {
  return (
    <html lang="en" suppressHydrationWarning>
      <head>
        <script dangerouslySetInnerHTML={{ __html: applyBeforePaint }} />
      </head>
      <body>
        <Providers>{children}</Providers>
      </body>
    </html>
  );
}
