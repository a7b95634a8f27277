"use client";
import { cloneElement, useId, type ReactElement, type ReactNode } from "react";

interface Control {
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean;
}

/** A control with its label, its hint, and what is wrong with it. */
export function Field({ label, hint, error, children }: { label: string; hint?: ReactNode; error?: string | null; children: ReactElement<Control> }) {
  const id = useId();
  const notes = `${id}-notes`;
  return (
    <div className="grid content-start gap-1">
      <label htmlFor={id} className="font-medium">{label}</label>
      {cloneElement(children, { id, "aria-describedby": notes, "aria-invalid": Boolean(error) || undefined })}
      <p id={notes} className="text-xs">
        {error && <span className="text-bad">{error} </span>}
        {hint && <span className="text-muted">{hint}</span>}
      </p>
    </div>
  );
}
