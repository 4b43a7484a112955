import azure.functions as func

import faults
from mlserverless.adapters.azure import http

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)
app.register_functions(http)
faults.install()
