/** What differs from cloud to cloud, by host of the authority. */
export interface Cloud {
  /** Where its v1 tokens say that they come from. */
  readonly v1Origin: string
  /** Microsoft Graph. */
  readonly graph: string
}

const GLOBAL: Cloud = { v1Origin: 'https://sts.windows.net', graph: 'https://graph.microsoft.com' }

const CLOUDS: ReadonlyMap<string, Cloud> = new Map([
  ['login.microsoftonline.com', GLOBAL],
  ['login.windows.net', GLOBAL],
  ['login.microsoft.com', GLOBAL],
  ['login.microsoftonline.us', { v1Origin: 'https://sts.windows.net', graph: 'https://graph.microsoft.us' }],
  ['login.partner.microsoftonline.cn', { v1Origin: 'https://sts.chinacloudapi.cn', graph: 'https://microsoftgraph.chinacloudapi.cn' }],
])

/** The cloud of an authority; undefined for one that is elsewhere. */
export function cloudOf(authority: string): Cloud | undefined {
  return CLOUDS.get(new URL(authority).hostname)
}

/** Microsoft Entra External ID: tenants of customers, each with a host of its own. */
export function isExternalId(authority: string): boolean {
  return new URL(authority).hostname.endsWith('.ciamlogin.com')
}

/** Azure AD B2C: user flows or custom policies, each with metadata and keys of its own. */
export function isB2c(authority: string): boolean {
  return new URL(authority).hostname.endsWith('.b2clogin.com')
}

/** Where Microsoft Graph is for an authority; undefined where that has to be configured. */
export function graphOf(authority: string): string | undefined {
  return isExternalId(authority) ? GLOBAL.graph : cloudOf(authority)?.graph
}
