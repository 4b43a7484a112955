"""A function app with every trigger that there is."""

import azure.functions as func

from mlserverless.adapters.azure import (
    blob,
    event_grid,
    event_hub,
    http,
    queue,
    service_bus,
    timer,
    warm_up,
)

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
for blueprint in (http, blob, queue, event_grid, service_bus, event_hub, timer):
    app.register_functions(blueprint)

warm_up()
