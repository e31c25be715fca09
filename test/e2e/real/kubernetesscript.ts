/**
 * What people do with kubectl, as data: `runScript` of kubernetesrun.ts does it with any kubeconfig and gives outcomes that can be compared,
 * so that the same script can be run straight at an API server and through something in front of it.
 */

/** One command of kubectl. `{namespace}`, `{upstream}` (a port of loopback) and `{folder}` stand for what the run has. */
export interface Step {
  readonly args: readonly string[]
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** With a terminal on the side of the caller. */
  readonly isTerminal?: boolean
  /** It goes on until its output has these, one after the other, and is then interrupted. */
  readonly until?: readonly string[]
  /** Arguments of a command that is run once the first of `until` was seen. */
  readonly meanwhile?: readonly string[]
  /** A port-forward: what `path` answers through it is the output. */
  readonly path?: string
  /** The order of lines says nothing. */
  readonly isUnordered?: boolean
  /** Only whether it works: what it says is another's business (a list of rules, a token). */
  readonly isSilent?: boolean
}

const spdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false', KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' }

const pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'hello', labels: { app: 'hello' }, annotations: { 'standin.ostiary.dev/port-8080': '{upstream}' } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'main',
        image: 'example.test/hello:1',
        command: ['sh', '-c', 'echo one; echo two; exec cat'],
        stdin: true,
        ports: [{ name: 'http', containerPort: 8080 }],
      },
      { name: 'ticker', image: 'example.test/ticker:1', command: ['sh', '-c', 'while :; do echo tick; sleep 0.2; done'] },
    ],
  },
}
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'hello' },
  spec: { selector: { app: 'hello' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
}
const settings = (value: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'settings', labels: { kind: 'settings' } },
  data: { colour: value },
})
const role = {
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'Role',
  metadata: { name: 'reader' },
  rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
}
const list = (...items: readonly object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
const one = (item: object): string => JSON.stringify(item)
const words = (text: string): readonly string[] => text.split(' ')
const shell = (text: string): readonly string[] => ['--', 'sh', '-c', text]

/** Outputs that differ by when they were asked for have a selector or a wait before them, so that there is one right answer. */
export const script: readonly Step[] = [
  // What there is.
  { args: words('version') },
  { args: words('cluster-info') },
  { args: words('api-versions') },
  { args: words('api-resources -o wide') },
  { args: words('api-resources --namespaced=false --verbs=list -o name') },
  { args: words('explain pods.spec.containers.env') },
  { args: words('explain deployments --api-version=apps/v1') },
  { args: words('get --raw /version') },
  { args: words('get --raw /openapi/v3') },
  { args: words('auth whoami -o jsonpath={.status.userInfo.username}') },
  { args: words('auth can-i create pods') },
  { args: words('auth can-i --list'), isSilent: true },

  // Making things, on either side.
  { args: words('create configmap words --from-literal=a=b') },
  { args: words('create configmap words --from-literal=a=b') },
  { args: words('create secret generic keys --from-literal=password=hunter2') },
  { args: words('apply -f -'), input: list(pod, service, settings('red')) },
  { args: words('apply -f -'), input: one(settings('red')) },
  { args: words('diff -f -'), input: one(settings('blue')) },
  { args: words('apply -f - --dry-run=server -o yaml'), input: one(settings('blue')) },
  { args: words('apply -f - --server-side --field-manager=first --force-conflicts'), input: one(settings('green')) },
  { args: words('apply -f - --server-side --field-manager=second'), input: one(settings('grey')) },
  { args: words('replace -f -'), input: one(settings('white')) },
  { args: words('wait --for=condition=Ready pod/hello --timeout=30s') },
  { args: words('wait --for=jsonpath={.subsets[0].addresses[0].targetRef.name}=hello endpoints/hello --timeout=30s'), isSilent: true },

  // Reading, in all forms.
  { args: words('get pods') },
  { args: words('get pods -o wide') },
  { args: words('get pod hello -o yaml') },
  { args: words('get pod hello -o json') },
  // Of a pod they depend on whether it is bound and admitted within one second.
  { args: words('get service hello -o json --show-managed-fields') },
  { args: words('get pods -o name') },
  { args: words('get pod hello -o jsonpath={.spec.containers[*].name}') },
  { args: words('get pods -o custom-columns=NAME:.metadata.name,NODE:.spec.nodeName') },
  { args: ['get', 'pods', '-o', 'go-template={{range .items}}{{.metadata.name}} is {{.status.phase}}{{"\\n"}}{{end}}'] },
  { args: words('get pods --show-labels') },
  { args: words('get pods -l app=hello --field-selector=status.phase=Running') },
  { args: words('get configmaps --chunk-size=1 -o name'), isUnordered: true },
  { args: words('get pods,services,configmaps') },
  { args: words('get secret keys -o jsonpath={.data.password}') },
  { args: words('get pod absent') },
  { args: words('get nothings') },
  { args: words('get nodes -o name') },
  // Events are told by several parts, each when it comes to it: they are asked for below, in any order.
  { args: words('describe pod hello --show-events=false') },
  { args: words('describe service hello') },
  {
    args: words('get configmap words --watch --output-watch-events'),
    until: ['ADDED', 'MODIFIED'],
    meanwhile: words('label configmap words watched=yes'),
  },

  // Changing: all kinds of patches, and an editor.
  { args: words('label pod hello tier=front') },
  { args: words('annotate pod hello note=kept') },
  { args: ['patch', 'configmap', 'settings', '-p', '{"data":{"colour":"black"}}'] },
  { args: ['patch', 'configmap', 'settings', '--type=merge', '-p', '{"data":{"colour":null,"shape":"round"}}'] },
  { args: ['patch', 'configmap', 'settings', '--type=json', '-p', '[{"op":"replace","path":"/data/shape","value":"square"}]'] },
  { args: words('edit configmap settings'), env: { KUBE_EDITOR: 'sed -i s/square/oval/' } },
  { args: words('get configmap settings -o jsonpath={.data}') },

  // Deployments.
  { args: words('create deployment web --image=example.test/web:1 --replicas=2') },
  { args: words('rollout status deployment web --timeout=30s'), isSilent: true },
  { args: words('set image deployment/web web=example.test/web:2') },
  { args: words('rollout status deployment web --timeout=30s'), isSilent: true },
  { args: words('rollout history deployment web') },
  { args: words('rollout history deployment web --revision=2') },
  { args: words('rollout undo deployment web') },
  { args: words('rollout status deployment web --timeout=30s'), isSilent: true },
  { args: words('scale deployment web --replicas=1') },
  { args: words('wait --for=jsonpath={.status.replicas}=1 deployment/web --timeout=30s') },
  { args: words('get deployment web') },
  { args: words('get deployment web --subresource=scale') },

  // Logs.
  { args: words('logs hello') },
  { args: words('logs hello -c main --tail=1 --timestamps') },
  { args: words('logs hello -c ticker -f'), until: ['tick\ntick\ntick\n'] },
  { args: words('logs -l app=hello -c main --prefix') },
  { args: words('logs hello -c main --previous') },
  { args: words('logs hello -c absent') },

  // Commands in containers, over both protocols.
  { args: ['exec', 'hello', ...shell('echo out; echo err >&2; exit 3')] },
  { args: ['exec', 'hello', '-i', '-c', 'main', '--', 'cat'], input: 'typed\nby hand\n' },
  { args: ['exec', 'hello', '-it', ...shell('test -t 0 && test -t 1 && echo a terminal; exit 4')], isTerminal: true },
  { args: ['exec', 'hello', ...shell('echo out; echo err >&2; exit 3')], env: spdy },
  { args: ['exec', 'hello', '-i', '-c', 'main', '--', 'cat'], input: 'typed\nby hand\n', env: spdy },
  { args: ['exec', 'hello', '-it', ...shell('test -t 0 && test -t 1 && echo a terminal; exit 4')], isTerminal: true, env: spdy },
  { args: words('exec hello -it -c main -- stty size'), isTerminal: true },
  { args: words('exec hello -it -c main -- stty size'), isTerminal: true, env: spdy },
  { args: words('exec hello -- no-such-program') },
  { args: words('cp {folder}/note.txt hello:note.txt -c main') },
  { args: words('exec hello -c main -- cat note.txt') },
  { args: words('cp hello:note.txt {folder}/back.txt -c main'), env: spdy },
  { args: words('attach hello -i -c main'), input: 'said\n', until: ['said\n'] },
  { args: words('attach hello -i -c main'), input: 'again\n', until: ['again\n'], env: spdy },
  { args: words('logs hello -c main') },

  // Ways to what listens in a pod.
  { args: words('port-forward pod/hello :8080'), path: '/over-websockets' },
  { args: words('port-forward service/hello :80'), path: '/over-spdy', env: spdy },
  { args: words('get --raw /api/v1/namespaces/{namespace}/pods/hello:8080/proxy/by-pod') },
  { args: words('get --raw /api/v1/namespaces/{namespace}/services/hello:http/proxy/by-service') },
  { args: words('get --raw /api/v1/nodes/standin/proxy/healthz') },
  {
    args: ['debug', 'hello', '--image=example.test/probe:1', '-c', 'probe', '--attach=false', ...shell('echo probed; exec sleep 60')],
    isSilent: true,
  },
  { args: words('top pods') },

  // Who may do what.
  { args: words('create serviceaccount robot') },
  { args: words('create token robot --duration=10m'), isSilent: true },
  { args: words('apply -f -'), input: one(role) },
  { args: words('create rolebinding robot --role=reader --serviceaccount={namespace}:robot') },
  { args: words('get roles,rolebindings -o name') },
  { args: words('auth can-i list pods --as=system:serviceaccount:{namespace}:robot') },
  { args: words('auth can-i delete pods --as=system:serviceaccount:{namespace}:robot') },

  // What ends by itself, and what happened.
  { args: ['run', 'once', '--image=example.test/once:1', '--restart=Never', '--command', ...shell('echo done')] },
  { args: words('wait --for=jsonpath={.status.phase}=Succeeded pod/once --timeout=30s') },
  { args: words('logs once') },
  { args: ['create', 'job', 'count', '--image=example.test/count:1', ...shell('echo counted')] },
  { args: words('wait --for=condition=Complete job/count --timeout=30s') },
  { args: words('get job count -o jsonpath={.status.succeeded}') },
  { args: words('events --for=pod/once'), isUnordered: true },
  { args: words('get events --field-selector=involvedObject.name=once,reason=Started -o jsonpath={.items[*].message}') },

  // And away.
  { args: words('delete pod once') },
  { args: words('delete job count --cascade=foreground') },
  { args: words('delete --raw /api/v1/namespaces/{namespace}/configmaps?labelSelector=kind%3Dsettings') },
  { args: words('get configmap settings') },
  { args: words('delete deployment,service,secret --all') },
  { args: words('delete rolebinding/robot role/reader serviceaccount/robot configmap/words') },
  { args: words('delete pod hello --now') },
  { args: words('get pod hello') },
]
