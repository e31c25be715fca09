import { block, list, quoted, steps, type Registration, type Way } from './text.ts'

/** Okta, with a custom authorization server: the organisation's own has no access tokens for others. */
export function okta({ title, redirects, home, frontchannel, given }: Registration): readonly Way[] {
  const server = given.issuer?.split('/').at(-1) ?? 'default'
  const group = `${given.name ?? 'api'}-writers`
  return [
    {
      title: 'On the page of Okta’s administrators',
      text: steps(
        `"Applications", "Create App Integration": "OIDC", "Web Application", name \`${title}\`, grant type "Authorization Code"`,
        `Sign-in redirect URI ${quoted(redirects)}, sign-out redirect URI \`${home}\``,
        'Assign the people or groups that may sign in',
        'The client id, and the client secret for OSTIARY_CLIENT_SECRET, are on its "General" page',
        `"Security", "API", "${server}": its "Audience" is the audience; "Claims", "Add Claim" \`groups\`, in access tokens **and once more in ID tokens** (always), value type "Groups", matches regex \`.*\``,
        `A group \`${group}\` for those who may write`,
        frontchannel === undefined ? undefined : `"Logout": user session and front channel at \`${frontchannel}\``,
      ),
    },
    {
      title: 'With Terraform (provider okta/okta)',
      text: block(
        'resource "okta_app_oauth" "ostiary" {',
        `  label                      = ${JSON.stringify(title)}`,
        '  type                       = "web"',
        '  grant_types                = ["authorization_code"]',
        '  response_types             = ["code"]',
        `  redirect_uris              = ${list(redirects)}`,
        `  post_logout_redirect_uris  = ${list([home])}`,
        '  token_endpoint_auth_method = "client_secret_basic"',
        '}',
        ...(server === 'default'
          ? ['data "okta_auth_server" "api" { name = "default" }']
          : ['data "okta_auth_server" "api" { name = "…" } # the name of this server: ' + server]),
        ...['RESOURCE', 'IDENTITY'].flatMap((type) => [
          `resource "okta_auth_server_claim" "groups_${type.toLowerCase()}" {`,
          '  auth_server_id    = data.okta_auth_server.api.id',
          '  name              = "groups"',
          `  claim_type        = "${type}"`,
          '  value_type        = "GROUPS"',
          '  group_filter_type = "REGEX"',
          '  value             = ".*"',
          '}',
        ]),
        `resource "okta_group" "writers" { name = ${JSON.stringify(group)} }`,
        'output "client_id" { value = okta_app_oauth.ostiary.client_id }',
        'output "client_secret" {',
        '  value     = okta_app_oauth.ostiary.client_secret',
        '  sensitive = true',
        '}',
      ),
    },
  ]
}

/** Keycloak: a client, an audience, and roles of the realm in both kinds of token. */
export function keycloak({ title, redirects, home, frontchannel, backchannel, given }: Registration): readonly Way[] {
  const realm = given.issuer?.split('/').at(-1) ?? ''
  const client = given.clientId ?? `ostiary-${given.name ?? 'api'}`
  const audience = given.audience ?? `https://${given.name ?? 'api'}.example`
  const role = `${given.name ?? 'api'}-writer`
  return [
    {
      title: `On the page of Keycloak’s administrators, in the realm \`${realm}\``,
      text: steps(
        `"Clients", "Create client": OpenID Connect, client id \`${client}\`, "Client authentication" on, "Standard flow" only`,
        `Valid redirect URI ${quoted(redirects)}, valid post logout redirect URI \`${home}\``,
        '"Credentials": the client secret goes into OSTIARY_CLIENT_SECRET',
        `"Client scopes", \`${client}-dedicated\`, "Add mapper", "Audience": included custom audience \`${audience}\`, in the access token`,
        'In the client scope `roles`, the mapper "realm roles": also in the ID token, for browsers',
        `"Realm roles": \`${role}\`, for those who may write`,
        backchannel === undefined
          ? undefined
          : `"Logout settings": backchannel logout URL \`${backchannel}\`, session required (or front channel, at \`${frontchannel}\`)`,
      ),
    },
    {
      title: 'With Terraform (provider keycloak/keycloak)',
      text: block(
        `data "keycloak_realm" "realm" { realm = ${JSON.stringify(realm)} }`,
        'resource "keycloak_openid_client" "ostiary" {',
        '  realm_id                        = data.keycloak_realm.realm.id',
        `  client_id                       = ${JSON.stringify(client)}`,
        `  name                            = ${JSON.stringify(title)}`,
        '  access_type                     = "CONFIDENTIAL"',
        '  standard_flow_enabled           = true',
        `  valid_redirect_uris             = ${list(redirects)}`,
        `  valid_post_logout_redirect_uris = ${list([home])}`,
        backchannel === undefined ? undefined : `  backchannel_logout_url              = ${JSON.stringify(backchannel)}`,
        backchannel === undefined ? undefined : '  backchannel_logout_session_required = true',
        '}',
        'resource "keycloak_openid_audience_protocol_mapper" "api" {',
        '  realm_id                 = data.keycloak_realm.realm.id',
        '  client_id                = keycloak_openid_client.ostiary.id',
        '  name                     = "audience"',
        `  included_custom_audience = ${JSON.stringify(audience)}`,
        '  add_to_id_token          = false',
        '}',
        'resource "keycloak_openid_user_realm_role_protocol_mapper" "roles" {',
        '  realm_id    = data.keycloak_realm.realm.id',
        '  client_id   = keycloak_openid_client.ostiary.id',
        '  name        = "roles"',
        '  claim_name  = "roles"',
        '  multivalued = true',
        '}',
        'resource "keycloak_role" "writer" {',
        '  realm_id = data.keycloak_realm.realm.id',
        `  name     = ${JSON.stringify(role)}`,
        '}',
        'output "client_secret" {',
        '  value     = keycloak_openid_client.ostiary.client_secret',
        '  sensitive = true',
        '}',
      ),
    },
  ]
}
