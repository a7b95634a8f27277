/** The organisations of whoever is signed in, and acting for another of them. */
import { useMutation, useQuery } from "@tanstack/react-query";
import type { Organisation } from "@/api/types";
import { useToasts } from "@/components/ui/Toasts";
import { body, client } from "@/lib/api";
import { paths } from "@/lib/paths";
import { announceSwitch } from "@/lib/session";

export function useOrganisations(enabled = true) {
  return useQuery({ queryKey: ["organisations"], queryFn: () => body<Organisation[]>(client.GET("/api/v1/organisations")), enabled });
}

/** Everything shown is of the organisation before, so the page begins anew. */
export function useSwitch() {
  const toasts = useToasts();
  return useMutation({
    mutationFn: (slug: string) => body(client.POST("/api/v1/auth/switch", { body: { organisation: slug } })),
    onSuccess: () => {
      announceSwitch();
      window.location.assign(paths.overview);
    },
    onError: toasts.failed,
  });
}
