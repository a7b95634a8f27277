"use client";
import type { ComponentProps } from "react";
import { Button } from "@/components/ui/Button";
import { useAuth } from "@/contexts/AuthContext";

/** A button for what needs a permission: without it, it is there, does nothing, and says why. */
export function Guarded({ needs, disabled, title, ...rest }: ComponentProps<typeof Button> & { needs: string }) {
  const { may } = useAuth();
  const allowed = may(needs);
  return <Button {...rest} disabled={disabled || !allowed} title={allowed ? title : lacking(needs)} data-needs={allowed ? undefined : needs} />;
}

/** Why something cannot be done by whoever looks. */
export function lacking(permission: string): string {
  return `Your role does not have the permission ${permission}.`;
}
