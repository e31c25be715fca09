import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client'
import type { Meter } from '../core/meter.ts'

/** Every metric with its label names and help, so that none appears by a slip of the pen. Prometheus text format 0.0.4. */
export interface Metrics extends Meter {
  readonly contentType: string
  /** A number read when it is asked for. */
  gauge(name: string, help: string, read: () => number): void
  render(): Promise<string>
}

/** A meter on prom-client. Counters are made on first use; their names get the prefix `ostiary_` and the suffix `_total`. */
export function createMetrics(): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const counters = new Map<string, Counter>()
  return {
    contentType: registry.contentType,
    count(name, labels = {}, by = 1) {
      let counter = counters.get(name)
      if (counter === undefined) {
        counter = new Counter({
          name: `ostiary_${name.replaceAll(/[^a-zA-Z0-9]+/g, '_')}_total`,
          help: name,
          labelNames: Object.keys(labels),
          registers: [registry],
        })
        counters.set(name, counter)
      }
      counter.inc(labels, by)
    },
    gauge(name, help, read) {
      const gauge: Gauge = new Gauge({
        name: `ostiary_${name}`,
        help,
        collect: () => gauge.set(read()),
        registers: [registry],
      })
    },
    render: () => registry.metrics(),
  }
}
