from hypothesis import HealthCheck, settings

# No deadline and no complaint about slow draws: a busy machine is no fault of the code.
settings.register_profile("library", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("library")
