/** What every policy of the test bed's cluster has. */

/** What kubectl and controllers need before they can ask for anything. */
export const DISCOVERY = {
  id: 'discover',
  role: 'authenticated',
  resource: 'bed',
  actions: [
    'get /api',
    'get /api/**',
    'get /apis',
    'get /apis/**',
    'get /version',
    'get /openapi/**',
    'create selfsubjectreviews.authentication.k8s.io',
    ...['selfsubjectaccessreviews', 'selfsubjectrulesreviews'].map((name) => `create ${name}.authorization.k8s.io`),
  ],
}
/** Ways into containers, which have to be named. */
export const STREAMS = ['create pods/exec', 'create pods/attach', 'create pods/portforward', 'create pods/proxy', 'create services/proxy']
