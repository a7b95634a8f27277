import { Logo } from "@/components/shell/Logo";
import { LinkButton } from "@/components/ui/Button";
import { Empty } from "@/components/ui/states";
import { paths } from "@/lib/paths";

export default function NotFound() {
  return (
    <main className="entrance grid min-h-dvh place-content-center justify-items-center">
      <Logo size={36} />
      <Empty title="There is nothing at this address" action={<LinkButton href={paths.overview}>Go to the overview</LinkButton>}>
        The page may have moved, or the address has a mistake. What belongs to another organisation does not exist for you.
      </Empty>
    </main>
  );
}
