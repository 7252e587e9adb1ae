// Draws one Mermaid chart, in a frame without an origin: GitHub does the same. The page sends the text, and gets the
// height.

                   
                                    
                                                             
 

const tell = (message        ) => parent.postMessage(message, '*');

addEventListener('message', async ({ source, data }              ) => {
  if (source !== parent || typeof data !== 'string') return;
  const { mermaid } = globalThis                                   ;
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
