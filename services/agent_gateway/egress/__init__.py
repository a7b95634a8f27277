"""
The egress proxy: the only way out for an agent, to the hosts its deploy names, recorded as host and bytes.

`requests` reads a proxy request, `allow_list` judges its host, `proxy` opens the tunnel and records it.
"""
