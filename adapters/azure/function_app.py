"""What Azure Functions loads. Take out the trigger that is not wanted; README.md has the lines of the others."""

import azure.functions as func

from mlserverless.adapters.azure import blob, http, warm_up

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(http)
app.register_functions(blob)

warm_up()  # before the first invocation
