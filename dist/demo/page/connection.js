// The page's connection to the demo: the key of its link, the stream of events, and the buttons' calls.

                                                                       

const STORAGE_NAME = 'expose-demo-key';
/** After the stream broke off. */
const RETRY_MS = 1_000;

/** The key from `#key=…` or of an earlier load of this tab. It stays in the address, for people who copy the link. */
export function takeKey()                     {
  const given = new URLSearchParams(location.hash.slice(1)).get('key');
  if (given) sessionStorage.setItem(STORAGE_NAME, given);
  return given || (sessionStorage.getItem(STORAGE_NAME) ?? undefined);
}

                           
                                      
                                              
                                                            
                                       
 

/** Listens for ever, or until the key is refused. */
export async function listen(key        , listener          )                {
  for (;;) {
    try {
      const response = await fetch('/api/events', { headers: { Authorization: `Bearer ${key}` } });
      if (response.status === 401) return listener.onLost('denied');
      if (response.ok && response.body) await readEvents(response.body, listener);
    } catch {
      // The demo is gone, or starts again on the same port.
    }
    listener.onLost('gone');
    await new Promise(resolve => setTimeout(resolve, RETRY_MS));
  }
}

async function readEvents(body                                         , listener          )                {
  let rest = '';
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const blocks = `${rest}${text}`.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const [, type, data = ''] = /^event: (\w+)\ndata: (.*)$/s.exec(block) ?? [];
      if (type === 'state') listener.onState(JSON.parse(data));
      else if (type === 'log') listener.onLog(JSON.parse(data));
    }
  }
}

export async function act(key        , action        )                {
  await fetch(`/api/${action}`, { method: 'POST', headers: { Authorization: `Bearer ${key}` } });
}
