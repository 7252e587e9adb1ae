// What a kustomization of self-host/kubernetes builds, checked by kube-check, in the shapes that the tests read.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as v from 'valibot';
import { requirePart } from './real-parts.ts';

const Labels = v.optional(v.record(v.string(), v.string()), {});
const Metadata = v.object({ name: v.string(), namespace: v.optional(v.string()), labels: Labels });
const Port = v.object({
  name: v.optional(v.string()),
  containerPort: v.number(),
  hostPort: v.optional(v.number()),
});
const Probe = v.object({
  exec: v.optional(v.object({ command: v.array(v.string()) })),
  httpGet: v.optional(v.object({ path: v.string(), port: v.union([v.string(), v.number()]) })),
  timeoutSeconds: v.number(),
});
const KeyRef = v.optional(v.object({ name: v.string(), key: v.string() }));
const Env = v.object({
  name: v.string(),
  valueFrom: v.object({ secretKeyRef: KeyRef, configMapKeyRef: KeyRef }),
});
const Container = v.object({
  name: v.string(),
  image: v.string(),
  command: v.array(v.string()),
  args: v.optional(v.array(v.string()), []),
  env: v.optional(v.array(Env), []),
  ports: v.optional(v.array(Port), []),
  startupProbe: v.optional(Probe),
  readinessProbe: v.optional(Probe),
  livenessProbe: v.optional(Probe),
  securityContext: v.object({
    runAsUser: v.optional(v.number()),
    runAsGroup: v.optional(v.number()),
    readOnlyRootFilesystem: v.boolean(),
  }),
  volumeMounts: v.optional(v.array(v.object({ name: v.string(), mountPath: v.string() })), []),
});
const Items = v.optional(v.array(v.object({ key: v.string(), path: v.string() })));
const Volume = v.object({
  name: v.string(),
  emptyDir: v.optional(v.object({})),
  configMap: v.optional(v.object({ name: v.string(), items: Items })),
  secret: v.optional(v.object({ secretName: v.string(), items: Items })),
});
const PodSpec = v.object({
  hostNetwork: v.optional(v.boolean(), false),
  securityContext: v.object({
    runAsUser: v.number(),
    runAsGroup: v.number(),
    sysctls: v.optional(v.array(v.object({ name: v.string(), value: v.string() })), []),
  }),
  containers: v.array(Container),
  volumes: v.optional(v.array(Volume), []),
});
const Deployment = v.object({
  kind: v.literal('Deployment'),
  metadata: Metadata,
  spec: v.object({
    replicas: v.number(),
    selector: v.object({ matchLabels: Labels }),
    template: v.object({ metadata: v.object({ labels: Labels }), spec: PodSpec }),
  }),
});
const ServicePort = v.object({
  name: v.string(),
  port: v.number(),
  nodePort: v.optional(v.number()),
  targetPort: v.optional(v.union([v.string(), v.number()])),
});
const Service = v.object({
  kind: v.literal('Service'),
  metadata: Metadata,
  spec: v.object({ selector: Labels, ports: v.array(ServicePort) }),
});
const PolicyPort = v.object({ port: v.union([v.string(), v.number()]), endPort: v.optional(v.number()) });
const NetworkPolicy = v.object({
  kind: v.literal('NetworkPolicy'),
  metadata: Metadata,
  spec: v.object({
    podSelector: v.object({ matchLabels: Labels }),
    ingress: v.array(v.object({ ports: v.array(PolicyPort) })),
  }),
});
const ConfigMap = v.object({
  kind: v.literal('ConfigMap'),
  metadata: Metadata,
  data: v.record(v.string(), v.string()),
});
const DisruptionBudget = v.object({
  kind: v.literal('PodDisruptionBudget'),
  metadata: Metadata,
  spec: v.object({ maxUnavailable: v.number(), selector: v.object({ matchLabels: Labels }) }),
});
const Namespace = v.object({ kind: v.literal('Namespace'), metadata: Metadata });
const KubeObject = v.variant('kind', [
  Deployment,
  Service,
  NetworkPolicy,
  ConfigMap,
  DisruptionBudget,
  Namespace,
]);
const Report = v.object({ objects: v.array(v.unknown()), problems: v.array(v.string()) });

export type KubeObject = v.InferOutput<typeof KubeObject>;
export type Deployment = v.InferOutput<typeof Deployment>;
export type Container = v.InferOutput<typeof Container>;
export type PodSpec = v.InferOutput<typeof PodSpec>;

/** Builds the folder's kustomization as `kubectl apply -k` does, and lists what an API server would refuse. */
export async function checkKustomization(folder: string): Promise<v.InferOutput<typeof Report>> {
  const run = promisify(execFile)(requirePart('kube-check'), [folder], { maxBuffer: 16_777_216 });
  return v.parse(Report, JSON.parse((await run).stdout));
}

/** The objects of a kustomization without a problem. */
export async function buildKustomization(folder: string): Promise<KubeObject[]> {
  const { objects, problems } = await checkKustomization(folder);
  if (problems.length > 0) throw new Error(`${folder}: ${problems.join('; ')}`);
  return objects.map(object => v.parse(KubeObject, object));
}

/** Those of one kind. */
export function listKind<Kind extends KubeObject['kind']>(
  objects: readonly KubeObject[],
  kind: Kind,
): Extract<KubeObject, { kind: Kind }>[] {
  return objects.filter((one): one is Extract<KubeObject, { kind: Kind }> => one.kind === kind);
}
