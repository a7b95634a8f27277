"""The twenty-eight services, the chassis they sit on, and the contracts they know each other by."""
