/** An endpoint of STS: what a request to it is signed for, and whose identities it tells. */
export interface StsEndpoint {
  readonly host: string
  /** Region of the credential scope. */
  readonly region: string
  readonly partition: string
}

/** A region as AWS writes it, or `global` for the one endpoint without region. */
export const REGION = /^(global|[a-z]{2}(-gov)?-[a-z]+-[0-9])$/

/** The endpoint of a region. Requests to the global one are signed for us-east-1. */
export function endpointOf(region: string): StsEndpoint {
  if (region === 'global') return { host: 'sts.amazonaws.com', region: 'us-east-1', partition: 'aws' }
  if (region.startsWith('cn-')) return { host: `sts.${region}.amazonaws.com.cn`, region, partition: 'aws-cn' }
  return { host: `sts.${region}.amazonaws.com`, region, partition: region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws' }
}
