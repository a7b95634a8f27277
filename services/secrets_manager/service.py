"""Declaration of the secrets manager."""

from services.chassis.resources import Resources
from services.chassis.service import Service
from services.secrets_manager.cipher import Cipher
from services.secrets_manager.logic import Secrets
from services.secrets_manager.routes import router
from services.secrets_manager.settings import SecretsSettings
from services.secrets_manager.store import SecretStore


def build(resources: Resources) -> Secrets:
    """The logic on its store, with the master key in memory only."""
    master_key = resources.settings(SecretsSettings).master_key.get_secret_value()
    return Secrets(resources.db, SecretStore(resources.db), Cipher(master_key))


service = Service(
    name="secrets-manager",
    build=build,
    routes=[router],
    roles=["tenant", "system"],
    uses_bus=False,
)
