"""The backend's tables; the only place with its SQL."""
