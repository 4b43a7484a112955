#!/bin/sh
# In the place of Microsoft's start script: our own host, which drives Microsoft's Python runtime. It serves until
# its standard input ends, which this one never does.
mkfifo /tmp/host && exec 0<>/tmp/host
export PYTHONPATH=/azure-functions-host/packages:/azure-functions-host/ours
exec python -m mlserverless.local.azure.worker --messages /azure-functions-host/messages \
    --host "${HOST_ADDRESS:-0.0.0.0}" --port "${ASPNETCORE_URLS##*:}" "$AzureWebJobsScriptRoot"
