import { quoted, steps, type Registration, type Way } from './text.ts'

/** Auth0: an application, and an API whose permissions are in its tokens. */
export function auth0({ title, redirects, home, given }: Registration): readonly Way[] {
  const { name = 'api', audience = `https://${name}.example` } = given
  return [
    {
      title: 'On the page of Auth0, "Applications"',
      text: steps(
        `"APIs", "Create API": identifier \`${audience}\`, RS256. "Settings": "Enable RBAC" and "Add Permissions in the Access Token"; "Permissions": \`write:${name}\``,
        `"Applications", "Create Application": "Regular Web Application", name \`${title}\``,
        `"Allowed Callback URLs": ${quoted(redirects)}; "Allowed Logout URLs": \`${home}\``,
        'Client id, and client secret for OSTIARY_CLIENT_SECRET, are on its "Settings" page',
        'Permissions are in access tokens only: for browsers, add them to the ID token by an Action, as a claim of a name of yours, and declare that in `claims` with its `path`',
      ),
    },
  ]
}

/** Google: for signing in only, its access tokens are its own. */
export function google({ title, redirects }: Registration): readonly Way[] {
  return [
    {
      title: 'On the page https://console.cloud.google.com, "APIs & Services"',
      text: steps(
        `"OAuth consent screen": "Internal", so that only accounts of the organisation sign in`,
        `"Credentials", "Create credentials", "OAuth client ID": "Web application", name \`${title}\``,
        `"Authorized redirect URIs": ${quoted(redirects)}`,
        'The client id ends in `.apps.googleusercontent.com`; the client secret goes into OSTIARY_CLIENT_SECRET',
      ),
    },
  ]
}

/** Any other provider, in the words of OpenID Connect (Dynamic Client Registration §2). */
export function other({ title, redirects, home, frontchannel, backchannel, given }: Registration): readonly Way[] {
  const { name = 'api', audience = `https://${name}.example` } = given
  return [
    {
      title: 'At the provider, as a client of OpenID Connect',
      text: steps(
        `\`client_name\`: \`${title}\`; \`application_type\`: \`web\``,
        `\`redirect_uris\`: ${quoted(redirects)}; \`post_logout_redirect_uris\`: \`${home}\``,
        '`grant_types`: `authorization_code`; `response_types`: `code`; PKCE with S256',
        '`token_endpoint_auth_method`: `client_secret_basic`, and the secret in OSTIARY_CLIENT_SECRET',
        `Access tokens for the audience \`${audience}\`, as JWTs (\`typ: at+jwt\`), with \`groups\` in them and in ID tokens; \`${name}-writers\` may write`,
        backchannel === undefined
          ? undefined
          : `\`backchannel_logout_uri\`: \`${backchannel}\`, or \`frontchannel_logout_uri\`: \`${frontchannel}\``,
      ),
    },
  ]
}
