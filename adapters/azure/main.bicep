// A function app on the Flex Consumption plan, with its own storage account, identity, roles and log.
//
// It is deployed twice where blobs are classified. The first time makes all but the event subscription, since its
// address has a key that the host makes only once the app's code is there. So upload the code, then deploy
// again with subscribe=true. main.json is the same for those without Bicep.

@description('The app, also the first part of its address')
@minLength(2)
@maxLength(40)
param name string

@description('Where')
param location string = resourceGroup().location

@description('A bundled model\'s name, or a model folder inside the package')
param model string = 'efficientnet-lite0'

@description('Hosts that images may be fetched from, with commas between; empty means any public one')
param allowedHosts string = ''

@description('The Python that the package was built for')
@allowed([
  '3.11'
  '3.12'
  '3.13'
])
param pythonVersion string = '3.13'

@description('MB of an instance')
@allowed([
  512
  2048
  4096
])
param instanceMemoryMB int = 2048

@description('Most instances at a time, which bounds the bill')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Days that the log is kept')
@minValue(30)
@maxValue(730)
param logDays int = 30

@description('Have every image in the container images classified; true only once the code is uploaded')
param subscribe bool = false

var prefix = take(toLower(replace(name, '-', '')), 11)
var storageName = '${prefix}${uniqueString(resourceGroup().id, name)}'
var blobOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' // Storage Blob Data Owner
var blobContributor = 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' // Storage Blob Data Contributor
var queueContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88' // Storage Queue Data Contributor
var metricsPublisher = '3913510d-42f4-4e42-8a64-420c390055eb' // Monitoring Metrics Publisher

// No account key works, so none can leak: whoever reads or writes has a role.
resource storage 'Microsoft.Storage/storageAccounts@2025-01-01' = {
  name: storageName
  location: location
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    allowBlobPublicAccess: false
    allowSharedKeyAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2025-01-01' = {
  parent: storage
  name: 'default'
}

resource codeContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'deployment'
  properties: {
    publicAccess: 'None'
  }
}

resource imageContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'images'
  properties: {
    publicAccess: 'None'
  }
}

resource resultContainer 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'results'
  properties: {
    publicAccess: 'None'
  }
}

// Events that reached the app in none of their tries.
resource failedEvents 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-01-01' = {
  parent: blobs
  name: 'failed-events'
  properties: {
    publicAccess: 'None'
  }
}

resource log 'Microsoft.OperationalInsights/workspaces@2025-07-01' = {
  name: name
  location: location
  properties: {
    sku: {
      name: 'PerGB2018'
    }
    retentionInDays: logDays
  }
}

// Without local authentication the connection string is an address and no secret.
resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: name
  location: location
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: log.id
    DisableLocalAuth: true
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-05-01' = {
  name: name
  location: location
  kind: 'functionapp'
  sku: {
    tier: 'FlexConsumption'
    name: 'FC1'
  }
  properties: {
    reserved: true
  }
}

resource app 'Microsoft.Web/sites@2025-05-01' = {
  name: name
  location: location
  kind: 'functionapp,linux'
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      appSettings: [
        {
          name: 'AzureWebJobsStorage__blobServiceUri'
          value: storage.properties.primaryEndpoints.blob
        }
        {
          name: 'AzureWebJobsStorage__queueServiceUri'
          value: storage.properties.primaryEndpoints.queue
        }
        {
          name: 'APPLICATIONINSIGHTS_CONNECTION_STRING'
          value: insights.properties.ConnectionString
        }
        {
          name: 'APPLICATIONINSIGHTS_AUTHENTICATION_STRING'
          value: 'Authorization=AAD'
        }
        {
          // Else the host's own page is at /
          name: 'AzureWebJobsDisableHomepage'
          value: 'true'
        }
        {
          name: 'AZURE_STORAGE_ACCOUNT_NAME'
          value: storage.name
        }
        {
          name: 'MLSERVERLESS_MODEL'
          value: model
        }
        {
          name: 'MLSERVERLESS_ALLOWED_HOSTS'
          value: allowedHosts
        }
        {
          name: 'MLSERVERLESS_BLOB_PATH'
          value: 'images/{name}'
        }
        {
          // The only source on this plan
          name: 'MLSERVERLESS_BLOB_SOURCE'
          value: 'EventGrid'
        }
        {
          name: 'MLSERVERLESS_SINK'
          value: 'az://results'
        }
      ]
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: '${storage.properties.primaryEndpoints.blob}${codeContainer.name}'
          authentication: {
            type: 'SystemAssignedIdentity'
          }
        }
      }
      runtime: {
        name: 'python'
        version: pythonVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
      }
    }
  }
}

// No passwords: code is uploaded by those with a role on the app, and never by FTP.
resource noFtp 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPasswords 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2025-05-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

// The host keeps its locks and keys in the account and reads the code from it; the blob trigger wants this too.
// It covers reading images and writing results, which are in this account too.
resource ownsBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, app.id, blobOwner)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobOwner)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

// Blobs that failed five times are named in a queue.
resource writesQueues 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(storage.id, app.id, queueContributor)
  scope: storage
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', queueContributor)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource logs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(insights.id, app.id, metricsPublisher)
  scope: insights
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', metricsPublisher)
    principalId: app.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource events 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: storage.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

resource keepsFailed 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(failedEvents.id, events.id, blobContributor)
  scope: failedEvents
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', blobContributor)
    principalId: events.identity.principalId
    principalType: 'ServicePrincipal'
  }
}

resource host 'Microsoft.Web/sites/host@2025-05-01' existing = {
  parent: app
  name: 'default'
}

var origin = 'https://${app.properties.defaultHostName}'
var blobHook = '${origin}/runtime/webhooks/blobs?functionName=Host.Functions.image_created'

// The key is asked for where it is needed only: ARM evaluates a resource's functions whatever its condition says.
resource created 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = if (subscribe) {
  parent: events
  name: 'images'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: subscribe ? '${blobHook}&code=${host.listKeys().systemKeys.blobs_extension}' : ''
      }
    }
    filter: {
      includedEventTypes: [
        'Microsoft.Storage.BlobCreated'
      ]
      subjectBeginsWith: '/blobServices/default/containers/images/'
    }
    retryPolicy: {
      maxDeliveryAttempts: 30
      eventTimeToLiveInMinutes: 1440
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: storage.id
          blobContainerName: failedEvents.name
        }
      }
    }
  }
  dependsOn: [
    keepsFailed
  ]
}

@description('Where it answers, to requests with a key')
output url string = origin

@description('The account with the containers images and results')
output storageAccount string = storage.name
