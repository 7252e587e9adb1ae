// Draws one Mermaid chart, in a frame without an origin: GitHub does the same. The page sends the text, and gets the
// height.

                   
                                    
                                                             
 

const tell = (message        ) => parent.postMessage(message, '*');

const prefersDark = matchMedia('(prefers-color-scheme: dark)');
let text = '';
/** What the last drawing was made for. */
let drawn = '';

async function draw()                {
  const { clientWidth } = document.documentElement;
  const look = `${clientWidth} ${prefersDark.matches}`;
  // In a hidden tab there is no width, and Mermaid would draw nothing that could be seen later.
  if (text === '' || clientWidth === 0 || look === drawn) return;
  drawn = look;
  const { mermaid } = globalThis                                   ;
  const theme = prefersDark.matches ? 'dark' : 'default';
  mermaid.initialize({ startOnLoad: false, securityLevel: 'strict', theme });
  try {
    document.body.innerHTML = (await mermaid.render('chart', text)).svg;
    tell({ height: Math.ceil(document.body.getBoundingClientRect().height) });
  } catch (error) {
    tell({ problem: error instanceof Error ? error.message : String(error) });
  }
}

addEventListener('message', ({ source, data }              ) => {
  if (source !== parent || typeof data !== 'string') return;
  text = data;
  void draw();
});
// It has its first width when its tab is opened.
new ResizeObserver(() => void draw()).observe(document.documentElement);
prefersDark.addEventListener('change', () => void draw());

tell({ ready: true });
