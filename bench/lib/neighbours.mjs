import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Collector } from './collector.mjs';
import { KubeApi } from './kube-api.mjs';

/**
 * What a server has around it, by name: where it is (`url`), what is waited for once the server is there (`begin`), what must have come to it in
 * the end (`check` says what is wrong), and its end.
 */
export const NEIGHBOURS = {
  collector: async () => {
    const collector = await new Collector().open();
    return {
      ...{ name: 'collector', url: collector.url, close: () => collector.close() },
      check: () => (collector.requests > 0 ? [] : ['nothing came to the collector']),
    };
  },
  api: async ({ flood }) => {
    const api = await new KubeApi({ node: 'bench', address: flood.address }).open();
    return {
      ...{
        name: 'api',
        url: api.url,
        begin: () => Promise.race([api.watched, sleep(WATCHED_MS)]),
        close: () => api.close(),
      },
      check: () => (api.created > 0 ? [] : ['no Event came to the API server']),
    };
  },
  prometheus: async () => {
    let scrapes = 0;
    let timer;
    const scrape = async ({ socket }) => {
      if ((await ask(socket, '/metrics')).includes('rpftrace_drops_total')) scrapes++;
    };
    return {
      ...{ name: 'prometheus', close: () => clearInterval(timer) },
      begin: (trace) => {
        timer = setInterval(() => scrape(trace).catch(() => undefined), SCRAPE_MS);
      },
      check: () => (scrapes > 0 ? [] : ['nobody could scrape it']),
    };
  },
};

/** The body of a server's answer. */
export function ask(socketPath, path) {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, agent: false }, async (response) => {
      let text = '';
      try {
        for await (const part of response.setEncoding('utf8')) text += part;
        resolve(text);
      } catch (error) {
        reject(error);
      }
    });
    sent.on('error', reject).end();
  });
}

const SCRAPE_MS = 1000;
/** Who has not come by then does not come. */
const WATCHED_MS = 10_000;
