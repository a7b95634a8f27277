"""
Redaction: what must not be stored is replaced before it is.

`secret_rules.py` knows how secrets look, a policy's `redact` adds an organisation's own patterns;
`redactor.py` replaces what they find by a tag, `streamed.py` does so where a secret came in several events of
a stream, `steps.py` for a whole step. The agent and the provider get what they would have got: only what is
stored is changed.
"""
