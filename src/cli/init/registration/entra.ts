import { block, list, quoted, steps, type Registration, type Way } from './text.ts'

const SCOPE = 'access_as_user'
const ROLE = 'Api.Write'

/** Microsoft Entra ID: client and API are one registration. */
export function entra(registration: Registration): readonly Way[] {
  return [portal(registration), az(registration), terraform(registration)]
}

function portal({ title, redirects, frontchannel }: Registration): Way {
  return {
    title: 'On the page https://entra.microsoft.com, "App registrations"',
    text: steps(
      `"New registration": name \`${title}\`, "Accounts in this organizational directory only", platform "Web", redirect URI ${quoted(redirects)}`,
      '"Overview": the "Application (client) ID" is the client id, the "Directory (tenant) ID" the tenant',
      '"Certificates & secrets", "New client secret": its **Value** (not its ID) goes into OSTIARY_CLIENT_SECRET, and is shown once',
      `"Expose an API": set the Application ID URI as it is proposed (\`api://<client id>\`), "Add a scope" \`${SCOPE}\``,
      `"Manifest": \`requestedAccessTokenVersion\` in \`api\` is \`2\``,
      `"App roles", "Create app role": value \`${ROLE}\`, for users, groups and applications. Assign it under "Enterprise applications", "Users and groups"`,
      frontchannel === undefined
        ? undefined
        : `"Authentication": front-channel logout URL \`${frontchannel}\`; "Token configuration": optional claim \`sid\` of ID tokens`,
      '"Authentication", "Add a platform", "Mobile and desktop applications": `http://localhost`, for `ostiary login` (and "Allow public client flows" for `ostiary login --device`)',
    ),
  }
}

function az({ title, redirects, frontchannel, given }: Registration): Way {
  const body = {
    api: {
      requestedAccessTokenVersion: 2,
      oauth2PermissionScopes: [
        {
          id: '$SCOPE_ID',
          value: SCOPE,
          type: 'User',
          isEnabled: true,
          adminConsentDisplayName: 'Reach the API',
          adminConsentDescription: 'Reach the API as whoever signed in',
        },
      ],
    },
    appRoles: [
      {
        id: '$ROLE_ID',
        value: ROLE,
        displayName: 'Writer',
        description: 'May write',
        isEnabled: true,
        allowedMemberTypes: ['User', 'Application'],
      },
    ],
    optionalClaims: { idToken: [{ name: 'sid', essential: false }] },
    web: { redirectUris: redirects, ...(frontchannel === undefined ? {} : { logoutUrl: frontchannel }) },
    publicClient: { redirectUris: ['http://localhost'] },
  }
  return {
    title: 'With the Azure CLI',
    text: block(
      `az login --tenant ${given.tenant}`,
      `CLIENT_ID=$(az ad app create --display-name '${title}' --sign-in-audience AzureADMyOrg --query appId --output tsv)`,
      'az ad app update --id "$CLIENT_ID" --identifier-uris "api://$CLIENT_ID"',
      'SCOPE_ID=$(uuidgen) ROLE_ID=$(uuidgen)',
      `az rest --method PATCH --url "https://graph.microsoft.com/v1.0/applications(appId='$CLIENT_ID')" --body @- <<JSON`,
      JSON.stringify(body, undefined, 2),
      'JSON',
      'az ad sp create --id "$CLIENT_ID"',
      'export OSTIARY_CLIENT_SECRET=$(az ad app credential reset --id "$CLIENT_ID" --append --display-name ostiary --years 1 --query password --output tsv)',
      'echo "$CLIENT_ID"',
    ),
  }
}

function terraform({ title, redirects, frontchannel }: Registration): Way {
  return {
    title: 'With Terraform (provider hashicorp/azuread 3, hashicorp/random)',
    text: block(
      'resource "random_uuid" "scope" {}',
      'resource "random_uuid" "role" {}',
      '',
      'resource "azuread_application" "ostiary" {',
      `  display_name     = ${JSON.stringify(title)}`,
      '  sign_in_audience = "AzureADMyOrg"',
      '  api {',
      '    requested_access_token_version = 2',
      '    oauth2_permission_scope {',
      '      id                         = random_uuid.scope.result',
      `      value                      = "${SCOPE}"`,
      '      type                       = "User"',
      '      admin_consent_display_name = "Reach the API"',
      '      admin_consent_description  = "Reach the API as whoever signed in"',
      '    }',
      '  }',
      '  app_role {',
      '    id                   = random_uuid.role.result',
      `    value                = "${ROLE}"`,
      '    display_name         = "Writer"',
      '    description          = "May write"',
      '    allowed_member_types = ["User", "Application"]',
      '  }',
      '  optional_claims {',
      '    id_token { name = "sid" }',
      '  }',
      '  web {',
      `    redirect_uris = ${list(redirects)}`,
      frontchannel === undefined ? undefined : `    logout_url    = ${JSON.stringify(frontchannel)}`,
      '  }',
      '  public_client {',
      '    redirect_uris = ["http://localhost"]',
      '  }',
      '  lifecycle { ignore_changes = [identifier_uris] }',
      '}',
      'resource "azuread_application_identifier_uri" "ostiary" {',
      '  application_id = azuread_application.ostiary.id',
      '  identifier_uri = "api://${azuread_application.ostiary.client_id}"',
      '}',
      'resource "azuread_service_principal" "ostiary" {',
      '  client_id = azuread_application.ostiary.client_id',
      '}',
      'resource "azuread_application_password" "ostiary" {',
      '  application_id = azuread_application.ostiary.id',
      '}',
      'output "client_id" { value = azuread_application.ostiary.client_id }',
      'output "client_secret" {',
      '  value     = azuread_application_password.ostiary.value',
      '  sensitive = true',
      '}',
    ),
  }
}
