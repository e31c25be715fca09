import type { CatalogueEntry } from '../errors.ts'

export const target = {
  'target/not-native': {
    message: '`{what}` can not be enforced by {target}: {why}',
    help: 'change it; or let the gateway’s own door serve `{resource}`: {leave}; or have the gateway asked about each request: {ask}',
    exit: 65,
  },
  'target/not-carried': {
    message: '`{resource}` can not be carried by {target}: {why}',
    help: 'change it, or let the gateway’s own door serve `{resource}`: {leave}',
    exit: 65,
  },
  'target/can-not-tell': {
    message: '{target} can not tell {what}',
    help: 'where {ensure}, write `{assumption}` under `targets.{name}.assume`; or let the gateway’s own door serve {resources}',
    exit: 65,
  },
  'target/no-keys': {
    message: '{target} has no keys of issuer `{issuer}`: {why}',
    help: '{help}',
    exit: 65,
  },
  'target/kubectl': {
    message: '`{what}` with context `{context}` failed: {problem}',
    help: 'look at the context and at what it may do; nothing after it was done, and what was applied before is in force',
    exit: 69,
  },
  'target/no-timed': {
    message: 'target `{name}` has no bindings for a time: {why}',
    help: 'leave out `--activations`, or choose other targets with `--target`',
    exit: 64,
  },
  'target/no-context': {
    message: 'target `{name}` names no cluster',
    help: 'write `targets.{name}.context`, a context of kubectl, or apply what is written in another way',
    exit: 64,
  },
  'target/not-azure': {
    message: '`{what}` can not be enforced by Azure roles for {target}: {why}',
    help: 'change it; or bind roles of the cluster instead: leave out `targets.{name}.azure`; or let the gateway’s own door serve `{resource}`: leave out `targets.{name}`',
    exit: 65,
  },
  'target/in-azure': {
    message: 'target `{name}` is kept in Azure, which nothing is asked of or written to here',
    help: 'write it with `ostiary compile kubernetes --target {name} --out DIR`, hand each document to `az rest --method put`, and look with `az role assignment list`, as docs/kubernetes-rbac.md says; choose other targets with `--target`',
    exit: 64,
  },
  'target/no-resource': {
    message: '{target} is to carry `{resource}`, which is no resource that speaks http',
    help: 'write names of `resources:` with `protocol: http`',
    exit: 65,
  },
  'target/no-cluster': {
    message: '{target} is to carry `{resource}`, which is no resource that speaks Kubernetes',
    help: 'write the name of one of `resources:` with `protocol: kubernetes`',
    exit: 65,
  },
  'target/given-anyway': {
    message: '{target} gives by itself what no rule of `{resource}` gives: {given}',
    help: 'write rules for it; or, where whoever the cluster lets in may have it, write `default-roles` under `targets.{name}.assume`',
    exit: 65,
  },
  'target/import-no-kind': {
    message: 'this document says neither `kind` nor what it is',
    help: 'hand in resources as `kubectl get … -o yaml` prints them, or as they are applied',
    exit: 65,
  },
  'target/import-empty': {
    message: 'there is no policy of Istio in what was handed in',
    help: 'hand in AuthorizationPolicies and RequestAuthentications: files, `-` for standard input, or `--context` for a cluster',
    exit: 66,
  },
  'target/import-no-roles': {
    message: 'there are no documents of a cluster in what was handed in',
    help: 'hand in roles and bindings: files as `kubectl get … -o yaml` prints them, `-` for standard input, or `--context` for a cluster',
    exit: 66,
  },
  'target/none': {
    message: 'there is nothing to compile for: {where} names nothing',
    help: 'write it first, as docs/{document} says',
    exit: 66,
  },
  'target/no-control-plane': {
    message: 'target `{name}` names no control plane',
    help: 'write `targets.{name}.controlPlane.url`, or apply what `ostiary compile kuma` writes in another way',
    exit: 64,
  },
  'target/control-plane': {
    message: 'the control plane at {url} did not answer {asked} as it should: {problem}',
    help: 'look at its address, its certificate and the token; what was applied before is still in force',
    exit: 69,
  },
  'target/control-plane-version': {
    message: 'the control plane is version {found}, and target `{name}` is compiled for {version}',
    help: 'write its version as `targets.{name}.version`: what another version knows, it drops without a word',
    exit: 65,
  },
  'target/rejected': {
    message: 'the control plane rejects `{document}`: {problem}',
    help: 'nothing after it was applied; look at `targets` and at the version of the control plane',
    exit: 65,
  },
  'target/read-only': {
    message: 'the control plane at {url} takes no documents: it keeps them in Kubernetes',
    help: 'write `mode: kubernetes`, and apply with `ostiary compile kuma --keys | kubectl apply --server-side -f -`',
    exit: 65,
  },
  'target/no-target': {
    message: 'there is no target `{name}`{which} in `targets`',
    help: 'there are {known}',
    exit: 64,
  },
  'target/no-stages': {
    message: 'there is no roll-out in the wiring',
    help: 'write `rollout.stages`, as docs/fleets.md says, or apply at once with `ostiary apply`',
    exit: 66,
  },
  'target/not-proven': {
    message: '{targets}: what would be applied is not proven to be what the policy says',
    help: 'nothing was applied; see `ostiary prove`, or write `rollout.prove: false`',
    exit: 1,
  },
  'target/same-place': {
    message: '`targets.{place}` and `targets.{other}` are both at `{where}`',
    help: 'leave one of them out: each would take what the other has applied for its own',
    exit: 65,
  },
  'target/no-node': {
    message: 'there is no Envoy `{name}` in `doors.envoy.nodes`',
    help: 'there are {known}',
    exit: 64,
  },
} as const satisfies Readonly<Record<string, CatalogueEntry>>
