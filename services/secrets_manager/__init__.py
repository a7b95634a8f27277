"""
Secrets manager: keeps values under AES-256-GCM and reveals them to the services that need them.

Wakes on   requests
Owns       secrets, secret_versions
Reads      nothing
Asks       nobody
"""
