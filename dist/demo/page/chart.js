// The frame of a Mermaid chart.

import { el } from './dom.js';

/** Until its chart has told its own height, in pixels. */
const FIRST_HEIGHT = 240;
const MAX_HEIGHT = 1_200;

/** The chart of this text; the text itself if it is not one. */
export function drawChart(text        )              {
  const frame = el('iframe', {
    src: '/chart/frame.html',
    sandbox: 'allow-scripts',
    title: 'Chart',
    class: 'chart',
  });
  frame.height = String(FIRST_HEIGHT);
  const listen = ({ source, data }              ) => {
    if (!frame.isConnected) return removeEventListener('message', listen);
    if (source !== frame.contentWindow || typeof data !== 'object' || data === null) return;
    if ('ready' in data) frame.contentWindow?.postMessage(text, '*');
    if ('height' in data) frame.height = String(Math.min(Number(data.height), MAX_HEIGHT));
    if ('problem' in data) frame.replaceWith(el('pre', {}, text));
  };
  addEventListener('message', listen);
  return frame;
}
