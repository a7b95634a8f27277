"""
Executor: runs agents on its node, as isolated processes, and tells what became of them.

Wakes on   orders of the control-brain, and every few seconds to probe, ship logs, report and renew its lease
Owns       nothing in the database; its state is files below its own directory
Reads      nothing
Asks       node-manager for a lease and to store its inventory, agent-gateway for keys and to take
           jobs' results, log-processor to store log lines, backend for bundles
"""
