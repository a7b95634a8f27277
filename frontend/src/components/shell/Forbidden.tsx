import { LinkButton } from "@/components/ui/Button";
import { Empty } from "@/components/ui/states";
import { paths } from "@/lib/paths";

export function Forbidden({ permission }: { permission: string }) {
  return (
    <Empty title="You may not see this" action={<LinkButton href={paths.overview}>Back to the overview</LinkButton>}>
      It needs the permission <code className="font-mono text-xs">{permission}</code>. An administrator of your organisation can give you
      a role that has it.
    </Empty>
  );
}
