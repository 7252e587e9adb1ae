// Draws one Mermaid chart, in a frame without an origin: GitHub does the same. The page sends the text, and gets the
// height.

interface Mermaid {
  initialize(options: object): void;
  render(id: string, text: string): Promise<{ svg: string }>;
}

const tell = (message: object) => parent.postMessage(message, '*');

addEventListener('message', async ({ source, data }: MessageEvent) => {
  if (source !== parent || typeof data !== 'string') return;
  const { mermaid } = globalThis as unknown as { mermaid: Mermaid };
  const isDark = matchMedia('(prefers-color-scheme: dark)').matches;
  mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme: isDark ? 'dark' : 'default' });
  try {
    document.body.innerHTML = (await mermaid.render('chart', data)).svg;
    tell({ height: Math.ceil(document.body.getBoundingClientRect().height) });
  } catch (error) {
    tell({ problem: error instanceof Error ? error.message : String(error) });
  }
});

tell({ ready: true });
