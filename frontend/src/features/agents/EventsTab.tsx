"use client";
import { Button } from "@/components/ui/Button";
import { Panel } from "@/components/ui/Panel";
import { Empty, View } from "@/components/ui/states";
import { useAgentEvents } from "@/features/agents/queries";
import { FeedRow } from "@/components/FeedRow";

export function EventsTab({ agentId }: { agentId: string }) {
  const events = useAgentEvents(agentId);
  return (
    <Panel>
      <View query={{ ...events, data: events.items }}>
        {(items) =>
          items.length > 0 ? (
            <>
              <ul className="divide-y divide-line">{items.map((entry) => <FeedRow key={entry.id} entry={entry} />)}</ul>
              {events.hasNextPage && (
                <div className="grid place-items-center border-t border-line p-2">
                  <Button kind="quiet" busy={events.isFetchingNextPage} onClick={() => void events.fetchNextPage()}>Load more</Button>
                </div>
              )}
            </>
          ) : (
            <Empty title="Nothing has happened yet" />
          )
        }
      </View>
    </Panel>
  );
}
